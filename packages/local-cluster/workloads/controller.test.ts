import { expect, test } from '@jest/globals';
import { createLog, createManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import { ApiError, type ClusterClient } from '../cluster-client.ts';
import { createController } from './controller.ts';

/** A controller whose passes last until they are let go; `heard` tells when each began, in milliseconds. */
function rehearse(outcome: (key: string, pass: number) => 'ok' | 'conflict' | 'held') {
  const clock = createManualClock();
  const log = createLog({ level: 'silent', name: 'test' });
  const heard: string[] = [];
  let letGo: () => void = () => undefined;
  const controller = createController('test', { client: {} as ClusterClient, clock, log }, async (key) => {
    heard.push(`${clock.now()}ms ${key}`);
    const what = outcome(key, heard.length);
    if (what === 'conflict') throw new ApiError(409, 'Conflict', 'somebody was faster');
    if (what === 'held') {
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
    }
  });
  return { controller, clock, heard, letGo: () => letGo() };
}

test('a burst of events about one object is one pass', async () => {
  const { controller, clock, heard } = rehearse(() => 'ok');
  for (const key of ['a', 'b', 'a', 'a']) controller.enqueue(key);
  await clock.advance(seconds(1));
  expect(heard).toEqual(['0ms a', '0ms b']);
});

test('what changes during a pass leads to one more', async () => {
  const { controller, clock, heard, letGo } = rehearse((_key, pass) => (pass === 1 ? 'held' : 'ok'));
  controller.enqueue('a');
  await clock.advance(milliseconds(1));
  controller.enqueue('a');
  controller.enqueue('a');
  await clock.advance(milliseconds(1));
  expect(heard).toEqual(['0ms a']);
  letGo();
  await clock.advance(seconds(1));
  expect(heard).toEqual(['0ms a', '2ms a']);
});

test('a failed pass is tried again, later each time, until one succeeds', async () => {
  const { controller, clock, heard } = rehearse((_key, pass) => (pass <= 4 ? 'conflict' : 'ok'));
  controller.enqueue('a');
  await clock.advance(seconds(60));
  expect(heard).toEqual(['0ms a', '5ms a', '15ms a', '35ms a', '75ms a']);
});

test('of two appointments the earlier one holds', async () => {
  const { controller, clock, heard } = rehearse(() => 'ok');
  controller.enqueueAfter('a', seconds(5));
  controller.enqueueAfter('a', seconds(2));
  controller.enqueueAfter('a', seconds(9));
  await clock.advance(seconds(20));
  expect(heard).toEqual(['2000ms a']);
});

test('nothing runs after stop', async () => {
  const { controller, clock, heard } = rehearse(() => 'ok');
  controller.enqueueAfter('a', seconds(1));
  await controller.stop();
  controller.enqueue('b');
  await clock.advance(seconds(5));
  expect(heard).toEqual([]);
});
