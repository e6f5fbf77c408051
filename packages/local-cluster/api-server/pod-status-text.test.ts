import { expect, test } from '@jest/globals';
import type { KubeObject } from './kube-object.ts';
import { podStatusText } from './pod-status-text.ts';

const running = { state: { running: {} }, ready: true };
const waiting = (reason: string) => ({ state: { waiting: { reason } }, ready: false });
const ended = (exitCode: number, reason?: string) => ({
  state: { terminated: { exitCode, ...(reason && { reason }) } },
  ready: false,
});
const named = (states: object[]) => states.map((state, index) => ({ name: `c${index}`, ...state }));

const pod = (
  phase: string,
  containers: object[],
  more: { init?: object[]; sidecar?: boolean; deleting?: boolean; ready?: boolean } = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', ...(more.deleting && { deletionTimestamp: '2026-01-01T00:00:00Z' }) },
  spec: { initContainers: named((more.init ?? []).map(() => (more.sidecar ? { restartPolicy: 'Always' } : {}))) },
  status: {
    phase,
    containerStatuses: named(containers),
    initContainerStatuses: named(more.init ?? []),
    conditions: [{ type: 'Ready', status: more.ready ? 'True' : 'False' }],
  },
});

test.each<[string, KubeObject]>([
  ['Pending', pod('Pending', [])],
  ['ContainerCreating', pod('Pending', [waiting('ContainerCreating')])],
  ['Running', pod('Running', [running])],
  ['CrashLoopBackOff', pod('Running', [running, waiting('CrashLoopBackOff')])],
  ['Completed', pod('Succeeded', [ended(0, 'Completed')])],
  ['Error', pod('Failed', [ended(1, 'Error')])],
  ['ExitCode:3', pod('Failed', [ended(3)])],
  [
    'Init:0/2',
    pod('Pending', [waiting('PodInitializing')], { init: [waiting('PodInitializing'), waiting('PodInitializing')] }),
  ],
  ['Init:1/2', pod('Pending', [waiting('PodInitializing')], { init: [ended(0), { state: { running: {} } }] })],
  ['Init:Error', pod('Pending', [waiting('PodInitializing')], { init: [ended(1, 'Error')] })],
  ['Init:CrashLoopBackOff', pod('Pending', [waiting('PodInitializing')], { init: [waiting('CrashLoopBackOff')] })],
  ['Running', pod('Running', [running], { init: [{ ...running, started: true }], sidecar: true })],
  [
    'Init:0/1',
    pod('Pending', [waiting('PodInitializing')], { init: [{ state: { running: {} }, started: false }], sidecar: true }),
  ],
  ['Terminating', pod('Running', [running], { deleting: true })],
  ['Completed', pod('Succeeded', [ended(0, 'Completed')], { deleting: true })],
])('%s', (expected, object) => {
  expect(podStatusText(object)).toBe(expected);
});
