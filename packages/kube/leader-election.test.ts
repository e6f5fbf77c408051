// The elector as a timeline: two candidates on a fake clock, one lease on a real HTTP server that can be told to fail.
import { afterEach, expect, test } from '@jest/globals';
import { createLog, createManualClock, type ManualClock } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import { createKubeClient } from './kube-client.ts';
import { createLeaderElection, type LeaderElection } from './leader-election.ts';
import { type ScriptedApi, scriptedApi } from './testing/scripted-api.ts';

const log = createLog({ level: 'silent', name: 'tested' });
type LeaseRecord = { metadata: { resourceVersion?: string }; spec: Record<string, string | number> };

let cluster: Awaited<ReturnType<typeof createCluster>>;
afterEach(async () => {
  for (const election of cluster.elections) election.stop();
  await cluster.clock.advance(seconds(60));
  await cluster.api.close();
});

async function createCluster() {
  const clock = createManualClock();
  let lease: LeaseRecord | undefined;
  let version = 0;
  const away = new Set<string>();
  const elections: LeaderElection[] = [];
  let open = 0;
  const api: ScriptedApi = await scriptedApi((call) => {
    const who = String(call.headers['user-agent']);
    if (away.has(who)) return call.refuse(503, 'ServiceUnavailable');
    const given = call.body as LeaseRecord | undefined;
    for (const name of ['acquireTime', 'renewTime']) {
      // As a real API server: six digits or 400.
      if (given !== undefined && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(String(given.spec[name]))) {
        return call.refuse(400, 'BadRequest');
      }
    }
    if (call.method === 'GET') return lease === undefined ? call.refuse(404, 'NotFound') : call.answer(200, lease);
    if (call.method === 'POST' && lease !== undefined) return call.refuse(409, 'AlreadyExists');
    if (call.method === 'PUT' && given?.metadata.resourceVersion !== lease?.metadata.resourceVersion) {
      return call.refuse(409, 'Conflict');
    }
    version += 1;
    lease = { ...given!, metadata: { ...given!.metadata, resourceVersion: String(version) } };
    call.answer(200, lease);
  });
  const candidate = (identity: string) => {
    const client = createKubeClient(api.config, { userAgent: identity, clock });
    // Counts calls in flight, so that the fake clock moves only when the network is quiet.
    const counting = new Proxy(client, {
      get: (target, name: keyof typeof client) => {
        const method = target[name] as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          open += 1;
          try {
            return await method(...args);
          } finally {
            open -= 1;
          }
        };
      },
    });
    const election = createLeaderElection({
      client: counting,
      clock,
      log,
      namespace: 'kubeai-system',
      name: 'kubeai-controller',
      identity,
      random: () => 0,
    });
    elections.push(election);
    return election;
  };
  const quiet = async () => {
    for (let turn = 0; turn < 5; turn++) {
      do await new Promise((resolve) => setTimeout(resolve, 1));
      while (open > 0);
    }
  };
  const wait = async (span: number) => {
    for (let second = 0; second < span; second++) {
      await quiet();
      await clock.advance(seconds(1));
    }
    await quiet();
  };
  return { clock: clock as ManualClock, api, away, elections, candidate, wait, quiet, lease: () => lease };
}

test('the first takes the lease and keeps it; the second follows when the first stops, at once', async () => {
  cluster = await createCluster();
  const [one, two] = [cluster.candidate('one'), cluster.candidate('two')];
  const led: string[] = [];
  const ran = one.run(() => led.push('one'));
  await cluster.quiet();
  void two.run(() => led.push('two'));
  await cluster.wait(60);
  expect([led, one.isLeader(), two.isLeader(), two.leader()]).toEqual([['one'], true, false, 'one']);
  expect(cluster.lease()?.spec).toMatchObject({ holderIdentity: 'one', leaseDurationSeconds: 15, leaseTransitions: 0 });

  one.stop();
  await ran;
  expect(cluster.lease()?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  await cluster.wait(4);
  expect([led, one.isLeader(), two.isLeader()]).toEqual([['one', 'two'], false, true]);
  expect(cluster.lease()?.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
});

test('a leader that cannot renew gives up after 10 s, before another may take over after 15 s', async () => {
  cluster = await createCluster();
  const [one, two] = [cluster.candidate('one'), cluster.candidate('two')];
  const timeline: string[] = [];
  const start = () => cluster.clock.now() / 1_000;
  void one.run((lost) => lost.addEventListener('abort', () => timeline.push(`one lost at ${start()}`)));
  await cluster.quiet();
  void two.run(() => timeline.push(`two leads at ${start()}`));
  await cluster.wait(20);
  cluster.away.add('one');
  await cluster.wait(30);
  // Its last renewal was at 18 s or 20 s: lost 10 s later, taken over 15 s later (looked at every 2 s).
  expect(timeline).toHaveLength(2);
  const [lost, taken] = timeline.map((line) => Number(line.split(' at ')[1]));
  expect(lost).toBeGreaterThanOrEqual(28);
  expect(lost).toBeLessThanOrEqual(31);
  expect(taken).toBeGreaterThan(lost!);
  expect(taken).toBeLessThanOrEqual(38);
  expect(timeline.map((line) => line.split(' at ')[0])).toEqual(['one lost', 'two leads']);
});

test('a short outage costs nothing', async () => {
  cluster = await createCluster();
  const one = cluster.candidate('one');
  let lost = 0;
  void one.run((signal) => signal.addEventListener('abort', () => lost++));
  await cluster.wait(6);
  cluster.away.add('one');
  await cluster.wait(6);
  cluster.away.delete('one');
  await cluster.wait(30);
  expect([lost, one.isLeader(), cluster.lease()?.spec['leaseTransitions']]).toEqual([0, true, 0]);
});

test('a lease whose holder died without a word is taken over after its length, on our own clock', async () => {
  cluster = await createCluster();
  const dead = cluster.candidate('dead');
  void dead.run(() => undefined);
  await cluster.quiet();
  cluster.away.add('dead');
  const two = cluster.candidate('two');
  void two.run(() => undefined);
  await cluster.wait(13);
  expect(two.isLeader()).toBe(false);
  await cluster.wait(5);
  expect(two.isLeader()).toBe(true);
});

test('stopping while waiting ends the wait and takes nothing', async () => {
  cluster = await createCluster();
  const [one, two] = [cluster.candidate('one'), cluster.candidate('two')];
  void one.run(() => undefined);
  await cluster.quiet();
  const waited = two.run(() => {
    throw new Error('must not lead');
  });
  await cluster.wait(3);
  two.stop();
  await waited;
  expect(cluster.lease()?.spec['holderIdentity']).toBe('one');
});
