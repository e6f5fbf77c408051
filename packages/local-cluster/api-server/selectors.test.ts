import { expect, test } from '@jest/globals';
import type { KubeObject } from './kube-object.ts';
import { builtInKinds } from './resources.ts';
import { fieldMatcher, labelMatcher, matchesSelector, selectorText } from './selectors.ts';

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-1', namespace: 'shop', labels: { app: 'web', tier: 'front' } },
  spec: { nodeName: 'local' },
  status: { phase: 'Running' },
};
const podKind = builtInKinds.find(({ kind }) => kind === 'Pod')!;

test.each<[string, boolean]>([
  ['', true],
  ['app=web', true],
  ['app==web,tier=front', true],
  ['app=web,tier=back', false],
  ['app!=web', false],
  ['gone!=x', true],
  ['app in (web,api)', true],
  ['app in (web, api),tier notin (back)', true],
  ['app notin (web)', false],
  ['app', true],
  ['!app', false],
  ['!gone', true],
])('labels: %s → %s', (selector, expected) => {
  expect(labelMatcher(selector)(pod)).toBe(expected);
});

test.each<[string, boolean]>([
  ['metadata.name=web-1', true],
  ['metadata.name!=web-1', false],
  ['spec.nodeName=local,status.phase=Running', true],
  ['status.phase!=Running', false],
  ['spec.nodeName=', false],
  ['status.podIP=', true],
])('fields: %s → %s', (selector, expected) => {
  expect(fieldMatcher(selector, podKind)(pod)).toBe(expected);
});

test('a field the kind does not index is refused', () => {
  expect(() => fieldMatcher('spec.hostname=x', podKind)).toThrow('field label not supported: spec.hostname');
});

test('a label selector that cannot be read is refused', () => {
  expect(() => labelMatcher('app in web')).toThrow(/unable to parse requirement/);
});

test('selector objects match and print as kubectl would write them', () => {
  const selector = {
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['front', 'back'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  };
  expect(matchesSelector(selector, pod.metadata.labels)).toBe(true);
  expect(matchesSelector(selector, { app: 'web', tier: 'side' })).toBe(false);
  expect(matchesSelector({}, undefined)).toBe(true);
  expect(matchesSelector(undefined, { app: 'web' })).toBe(false);
  expect(selectorText(selector)).toBe('!old,app=web,tier in (back,front)');
});
