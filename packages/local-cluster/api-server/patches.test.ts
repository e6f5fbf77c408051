import { expect, test } from '@jest/globals';
import { builtInType } from './built-in-types.ts';
import type { JsonObject, KubeObject } from './kube-object.ts';
import { patched } from './patches.ts';
import { builtInKinds } from './resources.ts';

const kind = builtInKinds.find((one) => one.kind === 'ConfigMap')!;
const current: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: '1', b: '2' } };
const patch = (how: 'json' | 'merge' | 'strategic', body: unknown) =>
  patched(current, body, how, kind, builtInType('V1ConfigMap')).data;

test.each<['merge' | 'strategic', JsonObject, unknown]>([
  ['merge', { data: { a: null, c: '3' } }, { b: '2', c: '3' }],
  ['merge', { data: null }, undefined],
  ['merge', { data: { a: '9' } }, { a: '9', b: '2' }],
  ['strategic', { data: { a: null, c: '3' } }, { b: '2', c: '3' }],
  ['strategic', { data: { $patch: 'replace', c: '3' } }, { c: '3' }],
  ['strategic', { data: { $retainKeys: ['b'] } }, { b: '2' }],
])('a %s patch %j', (how, body, expected) => {
  expect(patch(how, body)).toEqual(expected);
});

test.each<[object[], unknown]>([
  [[{ op: 'add', path: '/data/c', value: '3' }], { a: '1', b: '2', c: '3' }],
  [[{ op: 'remove', path: '/data/a' }], { b: '2' }],
  [[{ op: 'move', from: '/data/a', path: '/data/c' }], { b: '2', c: '1' }],
  [[{ op: 'copy', from: '/data/a', path: '/data/c' }], { a: '1', b: '2', c: '1' }],
  [
    [
      { op: 'test', path: '/data/a', value: '1' },
      { op: 'replace', path: '/data/a', value: '9' },
    ],
    { a: '9', b: '2' },
  ],
])('a JSON patch %j', (body, expected) => {
  expect(patch('json', body)).toEqual(expected);
});

test.each<[unknown, RegExp]>([
  [[{ op: 'remove', path: '/data/none' }], /doc is missing path: "\/data\/none"/],
  [[{ op: 'replace', path: '/data/none', value: '1' }], /request/],
  [[{ op: 'test', path: '/data/a', value: '2' }], /testing value \/data\/a failed: test failed/],
  [[{ op: 'add', path: '/none/deep', value: '1' }], /request/],
  [[{ op: 'jump', path: '/data/a' }], /request/],
  [{ op: 'add' }, /cannot unmarshal object into Go value of type jsonpatch.Patch/],
])('a JSON patch that does not apply: %j', (body, message) => {
  expect(() => patch('json', body)).toThrow(message);
});

test('the object that is patched stays as it was', () => {
  patch('json', [{ op: 'replace', path: '/data/a', value: '9' }]);
  patch('merge', { data: { a: '9' } });
  expect(current.data).toEqual({ a: '1', b: '2' });
});
