import { expect, test } from '@jest/globals';
import { instant, seconds } from '@kubeai/units';
import { type InjectedPod, injectionOf, workloadOf } from './injection-facts.ts';
import { limits } from './limits.ts';
import {
  candidates,
  coverageOf,
  isWhole,
  mayRestart,
  mustRest,
  noRepairs,
  type RepairPod,
  reasonOf,
  restarted,
  withoutRepaired,
} from './repair-plan.ts';

const metadata = { namespace: 'models', name: 'chat-1', uid: 'u' };
const main = { name: 'vllm' };
const status = { 'kubeai.io/injection-status': '{"status":"skipped"}' };
const job = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'o', controller: true }];

test.each<[string, Partial<InjectedPod>, string]>([
  ['without a trace of the webhook', { spec: { containers: [main] } }, 'missed'],
  ['that the webhook has marked', { metadata: { ...metadata, annotations: status } }, 'seen'],
  ['with a native sidecar', { spec: { containers: [main], initContainers: [{ name: 'kubeai-agent' }] } }, 'seen'],
  ['with a plain sidecar', { spec: { containers: [main, { name: 'kubeai-agent' }] } }, 'seen'],
  ['opted out by a label', { metadata: { ...metadata, labels: { 'kubeai.io/inject': 'false' } } }, 'exempt'],
  ['opted out by an annotation', { metadata: { ...metadata, annotations: { 'kubeai.io/inject': 'false' } } }, 'exempt'],
  [
    'whose label beats its annotation',
    {
      metadata: {
        ...metadata,
        labels: { 'kubeai.io/inject': 'true' },
        annotations: { 'kubeai.io/inject': 'false' },
      },
    },
    'missed',
  ],
  [
    'of the autoscaler',
    { metadata: { ...metadata, labels: { 'app.kubernetes.io/part-of': 'kubeai-autoscaler' } } },
    'exempt',
  ],
  ['on the network of its node', { spec: { containers: [main], hostNetwork: true } }, 'exempt'],
  ['for Windows', { spec: { containers: [main], os: { name: 'windows' } } }, 'exempt'],
  ['that ends', { spec: { containers: [main], restartPolicy: 'Never' } }, 'exempt'],
  ['of a Job', { metadata: { ...metadata, ownerReferences: job } }, 'exempt'],
  [
    'of a Job that asks for an agent',
    { metadata: { ...metadata, ownerReferences: job, annotations: { 'kubeai.io/inject': 'true' } } },
    'missed',
  ],
  ['of the node itself', { metadata: { ...metadata, annotations: { 'kubernetes.io/config.mirror': 'x' } } }, 'exempt'],
])('a pod %s', (_name, pod, injection) => {
  expect(injectionOf({ metadata, ...pod })).toBe(injection);
});

const owned = (apiVersion: string, kind: string, name: string, labels = {}) =>
  workloadOf({
    metadata: { ...metadata, labels, ownerReferences: [{ apiVersion, kind, name, uid: 'o', controller: true }] },
  });

test.each([
  ['a Deployment', owned('apps/v1', 'ReplicaSet', 'chat-5f7', { 'pod-template-hash': '5f7' }), 'Deployment chat'],
  ['a ReplicaSet of its own', owned('apps/v1', 'ReplicaSet', 'chat-5f7'), 'ReplicaSet chat-5f7'],
  ['a StatefulSet', owned('apps/v1', 'StatefulSet', 'chat'), 'StatefulSet chat'],
  [
    'a LeaderWorkerSet',
    owned('apps/v1', 'StatefulSet', 'big-0', { 'leaderworkerset.sigs.k8s.io/name': 'big' }),
    'LeaderWorkerSet big',
  ],
])('a pod of %s belongs to it', (_name, workload, text) => {
  expect(`${workload?.kind} ${workload?.name}`).toBe(text);
});

test('a bare pod belongs to no workload', () => {
  expect(workloadOf({ metadata })).toBeUndefined();
});

let made = 0;
const pod = (change: Partial<RepairPod> = {}): RepairPod => ({
  namespace: 'models',
  name: 'chat',
  uid: `u${++made}`,
  injection: 'missed',
  workload: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
  createdAt: instant(1_000),
  ready: true,
  leaving: false,
  ...change,
});
const of = (...pods: RepairPod[]) => coverageOf(pods, ['models']);
const seen = pod({ injection: 'seen' });

test('pods count where the namespace is labelled, until they leave', () => {
  const pods = [pod(), pod({ namespace: 'other' }), pod({ injection: 'exempt' }), pod({ leaving: true }), seen];
  expect([...coverageOf(pods, ['empty', 'models']).missed].map(([name, { length }]) => [name, length])).toEqual([
    ['empty', 0],
    ['models', 1],
  ]);
});

test.each<[string, readonly RepairPod[], boolean]>([
  ['nothing to judge by', [], true],
  ['the newest was missed', [seen, pod({ createdAt: instant(2_000) })], false],
  ['the newest was seen', [pod(), pod({ injection: 'seen', createdAt: instant(2_000) })], true],
  ['two of the same second, one seen', [pod(), seen, pod()], true],
  ['a pod that needs no agent says nothing', [seen, pod({ injection: 'exempt', createdAt: instant(2_000) })], true],
])('whether the webhook answers: %s', (_name, pods, answers) => {
  expect(of(...pods).webhookAnswers).toBe(answers);
});

test.each<[string, readonly RepairPod[], number, boolean]>([
  ['two ready of two', [pod(), seen], 2, true],
  ['the only one', [pod()], 1, false],
  ['one is still to be made', [pod(), seen], 3, false],
  ['one is not ready', [pod(), pod({ ready: false })], 2, false],
  ['one is leaving', [pod(), seen, pod({ leaving: true })], 2, false],
])('a workload is whole: %s', (_name, pods, wanted, whole) => {
  expect(isWhole(of(...pods), pods[0]!, wanted)).toBe(whole);
});

test('only pods that are replaced may go, with consent, the oldest first', () => {
  const young = pod({ createdAt: instant(9_000) });
  const old = pod({ createdAt: instant(5_000) });
  const lone = pod({ workload: undefined });
  const group = pod({ workload: { apiVersion: 'leaderworkerset.x-k8s.io/v1', kind: 'LeaderWorkerSet', name: 'big' } });
  const foreign = pod({ workload: { apiVersion: 'apps.kruise.io/v1', kind: 'StatefulSet', name: 'chat' } });
  const coverage = of(young, lone, group, foreign, old, seen);
  expect(candidates(coverage, () => true)).toEqual([old, young]);
  expect(candidates(coverage, () => false)).toEqual([]);
});

test('restarts follow each other while the webhook answers, and ever more slowly while it does not', () => {
  let history = noRepairs;
  let now = instant(0);
  const wait = (answers: boolean): number => {
    const began = now;
    while (!mayRestart(history, answers, now)) now = instant(now + seconds(1));
    history = restarted(history, { ...of(), webhookAnswers: answers }, pod(), now);
    return now - began;
  };
  expect(wait(false)).toBe(0); // the first is tried at once
  const trials = Array.from({ length: 6 }, () => wait(false) / limits.repairTrial);
  expect(trials).toEqual([1, 2, 4, 8, 10, 10]);
  expect([wait(true), wait(true)]).toEqual([limits.repairPause, limits.repairPause]);
  expect(wait(false)).toBe(limits.repairTrial);
});

test.each<[string, RepairPod[], boolean, boolean, number, string]>([
  ['none', [], true, true, 2, 'EveryPodSeen'],
  ['the webhook is away', [pod()], false, true, 2, 'WebhookAway'],
  ['no consent', [pod()], true, false, 2, 'RepairOff'],
  ['the only replica', [pod()], true, true, 1, 'LeftToOwner'],
  ['nobody replaces it', [pod({ workload: undefined })], true, true, 2, 'LeftToOwner'],
  ['under way', [pod()], true, true, 2, 'Repairing'],
])('why pods lack an agent: %s', (_name, missed, webhookAnswers, consents, replicas, reason) => {
  expect(reasonOf(missed, { ...of(...missed), webhookAnswers }, consents, replicas)).toBe(reason);
});

test('a pod that came of a restart and was missed again rests ever longer, until its workload has its agents', () => {
  const [old, other] = [pod(), pod()];
  let history = restarted(noRepairs, of(old, other), old, instant(0));
  let now = instant(0);
  expect(mustRest(history, other, now)).toBe(false);
  const rests: number[] = [];
  for (let round = 0; round < 4; round++) {
    const next = pod();
    const began = now;
    while (mustRest(history, next, now)) now = instant(now + limits.repairRest);
    rests.push((now - began) / limits.repairRest);
    history = restarted(history, of(next, other), next, now);
  }
  expect(rests).toEqual([1, 2, 4, 8]);
  expect(withoutRepaired(history, of(other)).tried.size).toBe(1);
  const repaired = withoutRepaired(history, of(seen));
  expect(mustRest(repaired, pod(), now)).toBe(false);
});
