import { expect, test } from '@jest/globals';
import type { KubeObject } from './kube-object.ts';
import { createStore } from './store.ts';
import { createWatchWindow } from './watch-window.ts';

const object = (name: string, namespace = 'a'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'X',
  metadata: { name, namespace },
});

test('the revision grows with every write and stamps it', () => {
  const store = createStore();
  const first = store.add('x', object('one'))!;
  const second = store.replace('x', first, { ...first, spec: 1 })!;
  const removed = store.remove('x', second)!;
  const revisions = [first, second, removed].map(({ metadata }) => Number(metadata.resourceVersion));
  expect(revisions[1]).toBe(revisions[0]! + 1);
  expect(revisions[2]).toBe(revisions[1]! + 1);
  expect(store.revision()).toBe(revisions[2]);
});

test('a write on what is no longer stored changes nothing', () => {
  const store = createStore();
  const first = store.add('x', object('one'))!;
  store.replace('x', first, { ...first, spec: 1 });
  expect(store.replace('x', first, { ...first, spec: 2 })).toBeUndefined();
  expect(store.remove('x', first)).toBeUndefined();
  expect(store.add('x', object('one'))).toBeUndefined();
  expect(store.read('x', 'a', 'one')?.spec).toBe(1);
});

test('lists come in the order of namespace and name', () => {
  const store = createStore();
  for (const [name, namespace] of [
    ['b', 'z'],
    ['c', 'a'],
    ['a', 'z'],
  ] as const)
    store.add('x', object(name, namespace));
  expect(store.list('x', '').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
    'a/c',
    'z/a',
    'z/b',
  ]);
  expect(store.list('x', 'z')).toHaveLength(2);
});

test('a watch sees everything after its revision, once, in order, with what was before', () => {
  const store = createStore();
  const first = store.add('x', object('one'))!;
  const start = store.revision();
  const second = store.replace('x', first, { ...first, spec: 1 })!;
  const seen: string[] = [];
  const stop = store.watch('x', start, ({ type, object: { metadata }, previous }) =>
    seen.push(`${type} ${metadata.name} ${previous?.metadata.resourceVersion === first.metadata.resourceVersion}`),
  );
  store.add('x', object('two'));
  store.remove('x', second);
  if (stop !== 'gone') stop();
  store.add('x', object('three'));
  expect(seen).toEqual(['MODIFIED one true', 'ADDED two false', 'DELETED one false']);
});

test('stored objects cannot be changed behind the store', () => {
  const stored = createStore().add('x', object('one'))!;
  expect(() => {
    stored.metadata.name = 'two';
  }).toThrow(TypeError);
});

test('a window forgets the oldest events and says so', () => {
  const window = createWatchWindow(4);
  for (let revision = 1; revision <= 20; revision += 1) {
    window.add({ type: 'ADDED', object: object(`o${revision}`), previous: undefined, revision });
  }
  expect(window.after(3)).toBeUndefined();
  expect(window.after(18)?.map(({ revision }) => revision)).toEqual([19, 20]);
  expect(window.after(20)).toEqual([]);
  // At least its capacity is always there.
  expect(window.after(16)).toHaveLength(4);
});
