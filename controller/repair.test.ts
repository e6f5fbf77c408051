// The shell of the repair against a scripted API server: budgets that refuse, pods that have gone, consent taken back.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog, createManualClock } from '@kubeai/daemon';
import { createKubeClient, type EventRecorder, type Reflector } from '@kubeai/kube';
import { instant, milliseconds } from '@kubeai/units';
import { type ScriptedApi, scriptedApi } from '../packages/kube/testing/scripted-api.ts';
import { limits } from './limits.ts';
import { type KnownPod, knownPod } from './pod-facts.ts';
import { createRepair, type Repair } from './repair.ts';
import type { Targets } from './targets.ts';

const clock = createManualClock(instant(Date.UTC(2026, 0, 1)));
let api: ScriptedApi;
let repair: Repair;
let pods: KnownPod[];
let evictions: string[];
let told: string[];
let refuse: Record<string, number>;
let tell: (annotation: string) => void;
/** The eviction that was asked for last, once it is answered. */
let answered: Promise<unknown>;

beforeEach(async () => {
  evictions = [];
  told = [];
  refuse = {};
  answered = Promise.resolve();
  pods = ['a', 'b'].flatMap((workload) => [0, 1].map((index) => podOf(workload, index)));
  const namespace = (repair: string, resourceVersion: string) => ({
    metadata: { name: 'models', resourceVersion, annotations: { 'kubeai.io/repair': repair } },
  });
  api = await scriptedApi((call) => {
    const evicted = /pods\/([^/]+)\/eviction$/.exec(call.path)?.[1];
    if (evicted !== undefined) {
      evictions.push(evicted);
      expect(call.body).toMatchObject({
        kind: 'Eviction',
        deleteOptions: { preconditions: { uid: `uid-${evicted}` } },
      });
      if (refuse[evicted] !== undefined) return call.refuse(refuse[evicted], 'Refused');
      return call.answer(201, { kind: 'Status', status: 'Success' });
    }
    if (call.query.get('watch') !== 'true')
      return call.answer(200, { metadata: { resourceVersion: '1' }, items: [namespace('true', '1')] });
    const watch = call.stream();
    tell = (annotation) => watch.send('MODIFIED', namespace(annotation, '2'));
  });
  const client = createKubeClient(api.config, { userAgent: 'test', clock });
  const evict: typeof client.evict = (...call) => {
    const eviction = client.evict(...call);
    answered = eviction.catch(() => undefined);
    return eviction;
  };
  repair = createRepair({
    client: { ...client, evict },
    clock,
    log: createLog({ level: 'silent', name: 'tested' }),
    pods: { items: () => pods.values() } as unknown as Reflector<KnownPod>,
    targets: { read: async () => ({ kind: 'found', scale: { replicas: 2 } }) } as unknown as Targets,
    events: { record: (...said: string[]) => void told.push(said[2]!) } as unknown as EventRecorder,
  });
  while (!repair.hasSynced()) await new Promise(setImmediate);
  repair.start();
});
afterEach(async () => {
  await repair.stop();
  await api.close();
});

const podOf = (workload: string, index: number, annotations = {}): KnownPod =>
  knownPod({
    metadata: {
      namespace: 'models',
      name: `${workload}${index}`,
      uid: `uid-${workload}${index}`,
      creationTimestamp: `2026-01-01T00:00:0${workload === 'a' ? index : index + 5}Z`,
      labels: { 'pod-template-hash': 'h' },
      annotations,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${workload}-h`, uid: 'o', controller: true },
      ],
    },
    spec: { containers: [{ name: 'model' }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  });

const seen = { 'kubeai.io/injection-status': '{}' };

/** Lets a turn of the repair happen: what it reads is at hand, so that by then it has asked for an eviction or never will. */
async function turn(): Promise<void> {
  await clock.advance(limits.repairEvery);
  await answered;
  await clock.advance(milliseconds(0));
}

test('a budget that refuses is asked again later, and others go first', async () => {
  refuse = { a0: 429 };
  await turn();
  await turn();
  expect(evictions).toEqual(['a0', 'a1']); // a whole workload, whichever of its pods the budget lets go
  expect(told).toEqual(['RestartedForAgent']);
  pods = [podOf('a', 0), podOf('a', 2, seen)];
  refuse = {};
  await clock.advance(limits.repairRefused);
  await turn();
  expect(evictions).toEqual(['a0', 'a1', 'a0']);
  await turn();
  expect(evictions).toHaveLength(3);
  expect(repair.summary()).toEqual({ missed: new Map([['models', 0]]), webhookAnswers: true, restarts: 2 });
});

test('a pod that has gone by itself is no restart', async () => {
  refuse = { a0: 404 };
  await turn();
  expect([evictions, told, repair.summary().restarts]).toEqual([['a0'], [], 0]);
});

test('an evicted pod counts as leaving before the watch tells, and without consent nothing is evicted', async () => {
  pods.push(podOf('c', 1, seen));
  await turn();
  await turn();
  expect(evictions).toEqual(['a0', 'b0']);
  const ofPolicy = new Map([
    ['uid-a1', 1],
    ['uid-b1', 1],
  ]);
  expect(repair.coverageOf('models', ofPolicy)).toEqual({ reason: 'Repairing', missed: 2 });
  expect(repair.coverageOf('other', ofPolicy)).toEqual({ reason: 'NamespaceNotLabelled', missed: 0 });
  tell('false');
  while (repair.coverageOf('models', ofPolicy).reason !== 'RepairOff') await new Promise(setImmediate);
  pods = [podOf('d', 0), podOf('d', 1), podOf('d', 2, seen)];
  await clock.advance(limits.longestRepairTrial);
  await turn();
  expect(evictions).toEqual(['a0', 'b0']);
});
