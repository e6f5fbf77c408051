import { afterEach, expect, test } from '@jest/globals';
import { createLog, createManualClock, type ManualClock } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import { eventually } from '../daemon/testing/eventually.ts';
import { createKubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import { createReflector, type Reflector } from './reflector.ts';
import { resources } from './resource.ts';
import { type ScriptedApi, type ScriptedCall, scriptedApi } from './testing/scripted-api.ts';

const log = createLog({ level: 'silent', name: 'tested' });
const pod = (name: string, version: number): KubeObject => ({
  metadata: { namespace: 'a', name, resourceVersion: String(version), managedFields: [{}] } as KubeObject['metadata'],
});
const list = (version: number, items: KubeObject[], next?: string) => ({
  metadata: { resourceVersion: String(version), ...(next === undefined ? {} : { continue: next }) },
  items,
});

let api: ScriptedApi | undefined;
let reflector: Reflector<KubeObject> | undefined;
afterEach(async () => {
  reflector?.stop();
  await api?.close();
});

/** Lets time pass in steps, with room for the network between them, until the condition holds. */
async function passing(clock: ManualClock, step: number, condition: () => boolean): Promise<void> {
  while (!condition()) {
    await clock.advance(seconds(step));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Starts a reflector against lists and watches answered in the order given; returns what it told its handler. */
async function reflect(lists: ((call: ScriptedCall) => void)[], watches: ((call: ScriptedCall) => void)[]) {
  const clock = createManualClock();
  const seen: string[] = [];
  const asked: string[] = [];
  api = await scriptedApi((call) => {
    const watching = call.query.get('watch') === 'true';
    const words = watching ? `watch ${call.query.get('resourceVersion')}` : `list ${call.query.get('continue') ?? ''}`;
    asked.push(words.trim());
    // What is beyond the script hangs, as a quiet cluster's watch does.
    (watching ? watches : lists).shift()?.(call);
  });
  reflector = createReflector({
    client: createKubeClient(api.config, { userAgent: 'test', clock }),
    resource: resources.pods,
    clock,
    log,
    random: () => 0,
  });
  reflector.subscribe({
    upsert: (item, old) => seen.push(`${old === undefined ? 'new' : 'changed'} ${item.metadata.name}`),
    remove: (item) => seen.push(`gone ${item.metadata.name}`),
  });
  return { clock, seen, asked, reflector };
}

test('a list in pages, then changes: the copy follows and handlers hear each change once', async () => {
  const { seen, asked, reflector } = await reflect(
    [
      (call) => call.answer(200, list(5, [pod('one', 1)], 'page2')),
      (call) => call.answer(200, list(5, [pod('two', 2)])),
    ],
    [
      (call) => {
        const watch = call.stream();
        watch.send('MODIFIED', pod('one', 6));
        watch.send('ADDED', pod('two', 2));
        watch.send('DELETED', pod('two', 7));
        watch.send('BOOKMARK', pod('', 9));
        watch.send('ADDED', pod('three', 10));
      },
    ],
  );
  expect(reflector.hasSynced()).toBe(false);
  await reflector.synced;
  await eventually(() => seen.length === 5);
  expect(seen).toEqual(['new one', 'new two', 'changed one', 'gone two', 'new three']);
  expect(asked).toEqual(['list', 'list page2', 'watch 5']);
  expect([...reflector.items()].map((item) => item.metadata)).toEqual([
    { namespace: 'a', name: 'one', resourceVersion: '6' },
    { namespace: 'a', name: 'three', resourceVersion: '10' },
  ]);
  expect(reflector.read({ namespace: 'a', name: 'two' })).toBeUndefined();
});

test('a watch that ends is resumed from the last bookmark, without a list', async () => {
  const { clock, asked } = await reflect(
    [(call) => call.answer(200, list(5, []))],
    [
      (call) => {
        const watch = call.stream();
        watch.send('BOOKMARK', pod('', 40));
        watch.end();
      },
    ],
  );
  await eventually(() => asked.length === 2);
  await passing(clock, 1, () => asked.length === 3);
  expect(asked).toEqual(['list', 'watch 5', 'watch 40']);
});

test.each<[string, (call: ScriptedCall) => void]>([
  ['as an answer', (call) => call.refuse(410, 'Expired')],
  ['as an event', (call) => call.stream().send('ERROR', { code: 410, reason: 'Expired' })],
])('410 on a watch, %s, lists again and tells the difference as changes', async (_how, gone) => {
  const { clock, seen, asked } = await reflect(
    [
      (call) => call.answer(200, list(5, [pod('one', 1), pod('two', 2)])),
      (call) => call.answer(200, list(50, [pod('two', 2), pod('three', 44)])),
    ],
    [gone],
  );
  await passing(clock, 1, () => seen.length === 4);
  expect(seen).toEqual(['new one', 'new two', 'gone one', 'new three']);
  await eventually(() => asked.length === 4);
  expect(asked).toEqual(['list', 'watch 5', 'list', 'watch 50']);
});

test('410 between two pages starts over with one list of everything', async () => {
  const { seen, asked } = await reflect(
    [
      (call) => call.answer(200, list(5, [pod('one', 1)], 'page2')),
      (call) => call.refuse(410, 'Expired'),
      (call) => call.answer(200, list(9, [pod('two', 8)])),
    ],
    [],
  );
  await eventually(() => asked.length === 4);
  expect(seen).toEqual(['new two']);
  expect(asked).toEqual(['list', 'list page2', 'list', 'watch 9']);
});

test('failures wait longer each time, keep the copy, and end with the server’s return', async () => {
  const { clock, seen, asked, reflector } = await reflect(
    [
      (call) => call.refuse(503, 'ServiceUnavailable'),
      (call) => call.refuse(503, 'ServiceUnavailable'),
      (call) => call.answer(200, list(5, [pod('one', 1)])),
    ],
    [(call) => call.refuse(500, 'InternalError'), (call) => call.stream().cut()],
  );
  await eventually(() => asked.length === 1);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(seconds(0.4));
  expect(asked).toHaveLength(1);
  await passing(clock, 0.5, () => seen.length === 1);
  await passing(clock, 0.5, () => asked.length === 6);
  expect(asked).toEqual(['list', 'list', 'list', 'watch 5', 'watch 5', 'watch 5']);
  expect(reflector.read({ namespace: 'a', name: 'one' })).toBeDefined();
  expect(seen).toEqual(['new one']);
});
