import { expect, test } from '@jest/globals';
import { commandOf, imageName, type LocalImage } from './image-table.ts';

test.each([
  ['node', 'node'],
  ['node:20-bookworm', 'node'],
  ['docker.io/library/node:20', 'node'],
  ['kubeai/agent:0.1.0', 'kubeai/agent'],
  ['ghcr.io/kubeai/agent@sha256:0123', 'kubeai/agent'],
  ['localhost:5000/kubeai/agent:dev', 'kubeai/agent'],
  ['registry.k8s.io/pause', 'pause'],
])('the image %s is called %s', (reference, name) => {
  expect(imageName(reference)).toBe(name);
});

const fixed: LocalImage = {
  entrypoint: ['serve', '--host', '$(POD_IP)'],
  defaultArguments: ['--fast'],
  runsAnything: false,
};
const open: LocalImage = { entrypoint: ['node'], runsAnything: true };

test.each([
  [fixed, {}, ['serve', '--host', '$(POD_IP)', '--fast']],
  [fixed, { args: ['--slow'] }, ['serve', '--host', '$(POD_IP)', '--slow']],
  [fixed, { command: ['sh'] }, undefined],
  [open, { args: ['-e', '1'] }, ['node', '-e', '1']],
  [open, { command: ['sh', '-c'], args: ['true'] }, ['sh', '-c', 'true']],
  [open, { command: [], args: [] }, ['node']],
])('%j with %j runs %j', (image, container, command) => {
  expect(commandOf(image, container)).toEqual(command);
});
