import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createLog, createManualClock, type ManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { type Push, startPush } from './push.ts';
import { createReportWriter } from './report-writer.ts';
import { absentSource } from './source.ts';
import {
  type Controller,
  createIdentity,
  type Identity,
  serverName,
  startController,
  writeCredentials,
} from './testing/controller.ts';
import { createTrafficBook } from './traffic.ts';

let identity: Identity;
let stranger: Identity;
let directory: string;
let clock: ManualClock;
let controller: Controller;
let push: Push | undefined;

beforeAll(async () => {
  identity = await createIdentity();
  stranger = await createIdentity();
});
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubeai-push-'));
  clock = createManualClock();
  controller = await startController(identity);
});
afterEach(async () => {
  const stopping = push?.stop(milliseconds(1));
  await clock.advance(seconds(1));
  await stopping;
  push = undefined;
  await controller.close();
  await rm(directory, { recursive: true });
});

const reporter = () => {
  const absent = absentSource('NotAsked');
  return createReportWriter({
    pod: { namespace: 'models', name: 'llama-0', uid: 'uid' },
    run: 'run',
    book: createTrafficBook(0),
    gate: undefined,
    sources: { engine: absent, gpu: absent, container: absent, host: absent },
    observes: true,
    start: 0,
  });
};

/** A pushing agent: `second()` is one second of its life. */
async function agent(ca: string = identity.cert) {
  const files = await writeCredentials(directory, 'token-1', ca);
  const writer = reporter();
  const started = startPush({
    url: controller.url,
    serverName,
    ...files,
    clock,
    log: createLog({ level: 'silent', name: 'test' }),
  });
  push = started;
  return {
    push: started,
    async second(leaving = false) {
      await clock.advance(seconds(1));
      started.send(writer.write(clock.monotonic(), { leaving, jumped: false }), clock.monotonic());
    },
    /** Lets time pass until something has happened. */
    async until(condition: () => boolean, what: string) {
      await eventually(() => {
        void clock.advance(milliseconds(50));
        return condition();
      }, what);
    },
  };
}

const sequences = () => controller.received.map(({ report }) => report.sequence);

test('reports arrive in order, live, and are acknowledged', async () => {
  const { push, second } = await agent();
  await second();
  await eventually(() => push.state().accepted === 1, 'the first acknowledgement');
  for (let at = 0; at < 3; at += 1) {
    await second(at === 2);
    await eventually(() => push.state().accepted === at + 2, 'an acknowledgement');
  }
  expect(sequences()).toEqual([0, 1, 2, 3]);
  expect(controller.received.map(({ report }) => report.leaving)).toEqual([undefined, undefined, undefined, true]);
  expect(controller.received.every(({ report, token }) => report.ageMs === 0 && token === 'Bearer token-1')).toBe(true);
  expect(push.state()).toMatchObject({ connected: true, kept: 0, dropped: 0, problem: undefined, connections: 1 });
  expect(controller.problems).toEqual([]);
});

test('a controller that was away for ten minutes gets the last one again, with its age', async () => {
  const { push, second, until } = await agent();
  await second();
  await eventually(() => push.state().accepted === 1, 'the first acknowledgement');
  const port = Number(controller.url.port);
  await controller.close();
  await eventually(() => !push.state().connected, 'the loss to be seen');
  for (let at = 0; at < 600; at += 1) await second();
  expect(push.state()).toMatchObject({ connected: false, kept: 70, dropped: 530 });
  await until(() => push.state().problem?.startsWith('ECONNREFUSED') === true, 'it to be named');
  controller = await startController(identity, port);
  const { connections } = push.state();
  await until(() => push.state().connections > connections, 'a new connection');
  // From here time stands still, however long the handshake takes.
  await eventually(() => push.state().kept === 0, 'the replay');
  // Sequence 0 arrived before, 1 to 530 are too old to be kept.
  expect(sequences()).toEqual(Array.from({ length: 70 }, (_, at) => at + 531));
  const ages = controller.received.map(({ report }) => report.ageMs);
  // A second apart each, less the moments that pass while the connection begins.
  expect(Math.abs(ages[0]! - ages[69]! - 69_000)).toBeLessThan(1_000);
  expect(Math.min(...ages)).toBeGreaterThanOrEqual(0);
  expect(controller.problems).toEqual([]);
});

test('what was written but not acknowledged is sent again', async () => {
  controller.mode = 'silent';
  const { push, second, until } = await agent();
  await second();
  await second();
  await eventually(() => controller.received.length === 2, 'two reports');
  controller.mode = 'acknowledge';
  controller.cut();
  await until(() => push.state().kept === 0, 'them to be acknowledged');
  expect(sequences()).toEqual([0, 1, 0, 1]);
});

test('a controller that takes reports and says nothing is given up', async () => {
  controller.mode = 'silent';
  const { push, second, until } = await agent();
  await second();
  await eventually(() => controller.received.length === 1, 'a report');
  for (let at = 0; at < 16; at += 1) await clock.advance(seconds(1));
  controller.mode = 'acknowledge';
  await until(() => push.state().accepted > 0, 'another connection');
  expect(controller.connections()).toBeGreaterThan(1);
});

test('a refused report is not sent again', async () => {
  controller.mode = 'refuse';
  const { push, second } = await agent();
  await second();
  await eventually(() => push.state().refused === 1, 'the refusal');
  expect(push.state()).toMatchObject({ kept: 0, problem: 'Malformed: no' });
});

test('a new token is used as soon as it is there, without a report lost', async () => {
  const { push, second, until } = await agent();
  await second();
  await eventually(() => push.state().accepted === 1, 'the first acknowledgement');
  await writeCredentials(directory, 'token-2', identity.cert);
  await until(() => controller.tokens.length === 2, 'the new connection');
  expect(controller.tokens).toEqual(['Bearer token-1', 'Bearer token-2']);
  await second();
  await eventually(() => push.state().accepted === 2, 'the next acknowledgement');
  expect(sequences()).toEqual([0, 1]);
});

test('a session goes on over connections, and ends with the authorities that it was begun under', async () => {
  const { push, second, until } = await agent();
  await until(() => push.state().connected, 'the first connection');
  controller.cut();
  await until(() => controller.connections() === 2 && push.state().connected, 'the second connection');
  await writeCredentials(directory, 'token-1', `${identity.cert}\n${identity.cert}`);
  await second();
  await until(() => controller.connections() === 3, 'the third connection');
  expect(controller.resumed).toEqual([false, true, false]);
});

test('a token that is not accepted is not tried in a tight loop', async () => {
  controller.mode = 'unauthorized';
  const { push, second } = await agent();
  await second();
  await eventually(() => push.state().problem === 'the controller answered 401', 'the refusal');
  const tries = controller.connections();
  for (let at = 0; at < 4; at += 1) await clock.advance(seconds(1));
  expect(controller.connections()).toBe(tries);
  expect(push.state()).toMatchObject({ connected: false, kept: 1 });
});

test('another authority than ours is told nothing', async () => {
  const { push, second } = await agent(stranger.cert);
  await second();
  await eventually(() => /certificate/i.test(push.state().problem ?? ''), 'the refusal');
  expect(controller.tokens).toEqual([]);
});

test('credentials that are not there yet are waited for', async () => {
  const { push, second, until } = await agent();
  await rm(join(directory, 'ca.crt'));
  controller.cut();
  await second();
  await until(
    () => /credentials cannot be read/.test(push.state().problem ?? '') || push.state().accepted > 0,
    'the problem',
  );
  await writeCredentials(directory, 'token-1', identity.cert);
  await until(() => push.state().kept === 0, 'the report');
  expect(sequences().at(-1)).toBe(0);
});
