// What becomes of policies, targets and reports: sizes, status, Events, metrics and the journal.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { type DecisionRecord, replay } from '@kubeai/decision';
import { type KubeObject, type Resource, resources } from '@kubeai/kube';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { useScene } from './testing/scene.ts';

const scene = useScene([thingDefinition()]);

test('load on an agent becomes replicas, a status, an Event, a metric and a line in the journal', async () => {
  await scene.createDeployment(1);
  const pod = await scene.createPod('chat-a');
  await scene.applyPolicy('chat');
  const journal = join(scene.folder, 'journal.jsonl');
  const controller = await scene.start(journal);
  let load = 2;
  await scene.startAgent(controller, pod, () => load);
  await scene.settled('chat', 'Ready', 'True');
  expect(await scene.replicas()).toBe(1);

  load = 30;
  expect(await eventually(async () => (await scene.replicas()) > 1)).toBe(true);
  const scaled = await eventually(async () => {
    const found = await scene.policy('chat');
    return (found.status?.decisions?.length ?? 0) > 0 && found;
  });
  const [decision] = scaled.status!.decisions!.slice(-1);
  expect(decision).toMatchObject({ from: 1, reason: 'MetricAboveTarget' });
  expect(decision!.message).toMatch(
    /^1 → \d: a metric asks for more replicas \(concurrency is .* in all, target 4 a replica\)$/,
  );
  const event = await eventually(async () => {
    const { items } = await scene.client().list<KubeObject & { reason: string; message: string }>(resources.events, {
      namespace: scene.namespace(),
    });
    return items.find(({ reason }) => reason === 'ScaledUp');
  });
  expect(event).toMatchObject({
    involvedObject: { kind: 'AIInferenceAutoscalerPolicy', name: 'chat' },
    message: `MetricAboveTarget: ${decision!.message}`,
  });
  expect(await controller.metrics.registry.getSingleMetricAsString('kubeai_scalings_total')).toContain(
    '{direction="up",reason="MetricAboveTarget"}',
  );
  const lines = await eventually(() => {
    const text = readFileSync(journal, 'utf8');
    return text.includes('MetricAboveTarget') && text.endsWith('\n') && text.trim().split('\n');
  });
  // What was kept is enough to make each decision again.
  for (const line of lines) {
    const record = JSON.parse(line) as DecisionRecord;
    expect(replay(record)).toEqual(record.decision);
  }
});

test('a restarted controller knows what was decided, and remembers the window', async () => {
  const first = await scene.startUnderLoad();
  await eventually(() => (first.controller.memories().get(scene.key('chat'))?.history?.events.length ?? 0) > 0);
  const before = first.controller.memories().get(scene.key('chat'))!;
  await first.stop();
  scene.stopAgents();

  const second = await scene.start();
  const after = await eventually(() => second.controller.memories().get(scene.key('chat')));
  expect(after.history?.coveredFrom).toBe(before.history?.coveredFrom);
  expect(after.history?.events).toEqual(before.history?.events);
  expect(after.status.decisions).toEqual(before.status.decisions);
});

test('of two policies on one target the older scales; the younger says so and takes over when it is gone', async () => {
  await scene.createDeployment(1);
  const pod = await scene.createPod('chat-a');
  await scene.applyPolicy('a-first');
  await scene.applyPolicy('b-second', { minReplicas: 5 });
  const controller = await scene.start();
  await scene.startAgent(controller, pod, () => 1);
  await scene.settled('a-first', 'Ready', 'True');
  const conflict = await scene.settled('b-second', 'Conflict', 'True');
  expect(conflict.message).toBe('the older policy a-first scales the same target: delete one of the two');
  expect(await scene.settled('b-second', 'Ready', 'False')).toMatchObject({ reason: 'Conflict' });
  expect(await scene.replicas()).toBe(1);
  await scene.applyPolicy('c-tried', { minReplicas: 3, mode: 'Recommend' });
  await scene.settled('c-tried', 'Conflict', 'False');
  await scene.settled('c-tried', 'Ready', 'True');

  await scene.client().delete(resources.policies, scene.named('a-first'));
  await eventually(async () => (await scene.replicas()) === 5);
  await scene.settled('b-second', 'Conflict', 'False');
});

test('a policy that changes, but for its metrics, is never without signals', async () => {
  await scene.createDeployment(1);
  const pod = await scene.createPod('chat-a');
  await scene.applyPolicy('chat');
  const { controller, ...started } = await scene.start();
  await scene.startAgent(started, pod, () => 2);
  await scene.settled('chat', 'Ready', 'True');
  const change = { spec: { maxReplicas: 7 } };
  await scene.client().patch(resources.policies, scene.named('chat'), change, { kind: 'merge' });
  // Its status is written with the first decision after the change.
  const ready = await eventually(async () => {
    const found = await scene.condition('chat', 'Ready');
    return found?.observedGeneration === 2 && found;
  });
  expect(ready).toMatchObject({ status: 'True', reason: 'Scaling' });
  expect(controller.memories().get(scene.key('chat'))?.last?.decision.bounds.max).toBe(7);
});

test('a GPU budget stops growth with its reason', async () => {
  await scene.createDeployment(1);
  const pod = await scene.createPod('chat-a');
  await scene.applyPolicy('chat', { gpu: { budget: 'shared', perReplica: 2 } });
  const started = await scene.start(undefined, undefined, { gpuBudgets: new Map([['shared', 5]]) });
  await scene.startAgent(started, pod, () => 30);
  const last = () => started.controller.memories().get(scene.key('chat'))?.last?.decision;
  await eventually(() => last()?.current === 2 && last()?.reason === 'GpuBudget');
  expect(await scene.replicas()).toBe(2);
});

test('a forecast is shown while it is observed, and is a floor once it is on', async () => {
  await scene.createDeployment(1);
  const pod = await scene.createPod('chat-a');
  await scene.applyPolicy('chat', { prediction: { mode: 'Observe' } });
  const started = await scene.start();
  await scene.startAgent(started, pod, () => 2);
  const memory = () => started.controller.memories().get(scene.key('chat'));
  await eventually(() => memory()?.foresight);
  // Half an hour of a climb is more than a test should take.
  const forecast = () => ({ replicas: 2.6, score: 0.5, model: 'holt' });
  memory()!.foresight = { ...memory()!.foresight!, forecast };
  await eventually(() => memory()?.last?.snapshot.forecast && memory()?.last?.decision.reason === 'WithinTarget');
  expect(await scene.replicas()).toBe(1);

  await scene
    .client()
    .patch(resources.policies, scene.named('chat'), { spec: { prediction: { mode: 'On' } } }, { kind: 'merge' });
  await eventually(async () => (await scene.replicas()) === 3);
  expect((await eventually(async () => (await scene.policy('chat')).status?.decisions))[0]).toMatchObject({
    from: 1,
    to: 3,
    reason: 'PredictedLoad',
  });
});

test('a HorizontalPodAutoscaler on the same target keeps us from scaling until it is deleted', async () => {
  await scene.createDeployment(1);
  await scene.createPod('chat-a');
  await scene.client().create(resources.horizontalPodAutoscalers, {
    metadata: scene.named('other'),
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' }, maxReplicas: 3 },
  } as KubeObject);
  await scene.applyPolicy('chat', { minReplicas: 4 });
  await scene.start();
  expect((await scene.settled('chat', 'Conflict', 'True')).message).toContain('HorizontalPodAutoscaler other');
  expect(await scene.replicas()).toBe(1);
  await scene.client().delete(resources.horizontalPodAutoscalers, scene.named('other'));
  await eventually(async () => (await scene.replicas()) === 4);
});

test('a target that is not there yet is named, and scaled as soon as it is', async () => {
  await scene.applyPolicy('chat', { minReplicas: 2 });
  await scene.start();
  const missing = await scene.settled('chat', 'Ready', 'False');
  expect(missing).toMatchObject({
    reason: 'TargetNotFound',
    message: `there is no Deployment ${scene.namespace()}/chat`,
  });
  await scene.createDeployment(1);
  await eventually(async () => (await scene.replicas()) === 2);
});

test('anything with a scale subresource is scaled; anything without says so', async () => {
  const things: Resource = { group: 'example.dev', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
  await scene.client().create(things, {
    metadata: scene.named('chat'),
    spec: { replicas: 1 },
    status: {},
  } as KubeObject);
  await scene.applyPolicy('thing', {
    targetRef: { apiVersion: 'example.dev/v1', kind: 'Thing', name: 'chat' },
    minReplicas: 3,
  });
  await scene.applyPolicy('map', { targetRef: { apiVersion: 'v1', kind: 'ConfigMap', name: 'chat' } });
  await scene.start();
  await eventually(async () => (await scene.replicas(things)) === 3);
  expect(await scene.settled('map', 'Ready', 'False')).toMatchObject({ reason: 'TargetNotScalable' });
});

test('steady, noisy load costs the API server nothing', async () => {
  await scene.createDeployment(2);
  const pods = [await scene.createPod('chat-a'), await scene.createPod('chat-b')];
  await scene.applyPolicy('chat');
  const controller = await scene.start();
  for (const pod of pods) await scene.startAgent(controller, pod, () => 3 + Math.round(Math.random()));
  await scene.settled('chat', 'Ready', 'True');
  const writes = async () => {
    const text = await controller.metrics.registry.getSingleMetricAsString('rest_client_requests_total');
    const counts = [...text.matchAll(/method="(PATCH|PUT|POST)".*? (\d+)$/gm)].map((match) => Number(match[2]));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const looks = () => controller.controller.memories().get(scene.key('chat'))!.history!.at;
  // Once the pods' first reports are in, look after look must leave the API server alone.
  const first = looks();
  await eventually(() => looks() - first > 500);
  const [before, since] = [await writes(), looks()];
  await eventually(() => looks() - since > 2_500);
  expect((await writes()) - before).toBeLessThanOrEqual(1);
});

function thingDefinition() {
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', properties: { replicas: { type: 'integer' } } },
          status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
        },
      },
    },
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.selector',
      },
    },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.dev' },
    spec: {
      group: 'example.dev',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing' },
      versions: [version],
    },
  };
}
