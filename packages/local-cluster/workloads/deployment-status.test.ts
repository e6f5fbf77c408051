import { expect, test } from '@jest/globals';
import { deploymentStatus } from './deployment-status.ts';
import type { Deployment, DeploymentStatus, ReplicaSet } from './objects.ts';

const start = Date.parse('2026-01-01T12:00:00Z');

const replicaSet = (name: string, wanted: number, present: number, ready: number): ReplicaSet => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name },
  spec: { replicas: wanted, selector: {}, template: { spec: { containers: [] } } },
  status: { replicas: present, readyReplicas: ready, availableReplicas: ready },
});

const none: [number, number, number] = [0, 0, 0];

interface Moment {
  readonly at: number;
  /** wanted/present/ready of the newest ReplicaSet and of the old one. */
  readonly newest: [number, number, number];
  readonly old?: [number, number, number];
  readonly created?: boolean;
  readonly paused?: boolean;
  /** Reason of Progressing, status of Available, and the seconds at which Progressing last moved. */
  readonly expected: [string, string, number];
}

test.each<[string, Moment[]]>([
  [
    'a rollout that gets there',
    [
      { at: 0, newest: [2, 0, 0], created: true, expected: ['NewReplicaSetCreated', 'False', 0] },
      { at: 1, newest: [2, 2, 0], expected: ['ReplicaSetUpdated', 'False', 1] },
      { at: 5, newest: [2, 2, 1], expected: ['ReplicaSetUpdated', 'False', 5] },
      { at: 9, newest: [2, 2, 2], expected: ['NewReplicaSetAvailable', 'True', 9] },
      { at: 99, newest: [2, 2, 1], expected: ['NewReplicaSetAvailable', 'False', 9] },
      { at: 999, newest: [2, 2, 2], expected: ['NewReplicaSetAvailable', 'True', 999] },
    ],
  ],
  [
    'a rollout that is stuck, and then is not',
    [
      { at: 0, newest: [2, 1, 0], old: [2, 2, 2], created: true, expected: ['NewReplicaSetCreated', 'True', 0] },
      { at: 1, newest: [2, 1, 0], old: [2, 2, 2], expected: ['NewReplicaSetCreated', 'True', 0] },
      { at: 61, newest: [2, 1, 0], old: [2, 2, 2], expected: ['ProgressDeadlineExceeded', 'True', 61] },
      { at: 90, newest: [2, 1, 1], old: [2, 2, 2], expected: ['ReplicaSetUpdated', 'True', 90] },
      { at: 95, newest: [2, 2, 2], old: [0, 0, 0], expected: ['NewReplicaSetAvailable', 'True', 95] },
    ],
  ],
  [
    'a pause',
    [
      { at: 0, newest: [2, 2, 2], expected: ['NewReplicaSetAvailable', 'True', 0] },
      { at: 5, newest: [2, 2, 2], paused: true, expected: ['DeploymentPaused', 'True', 5] },
      { at: 9, newest: [2, 2, 2], expected: ['DeploymentResumed', 'True', 9] },
    ],
  ],
])('%s', (_title, moments) => {
  let status: DeploymentStatus = {};
  for (const { at, newest, old = none, created = false, paused = false, expected } of moments) {
    const deployment: Deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', generation: 1 },
      spec: { replicas: 2, progressDeadlineSeconds: 60, paused, selector: {}, template: { spec: { containers: [] } } },
      status,
    };
    const seen = {
      newest: replicaSet('new', ...newest),
      old: [replicaSet('old', ...old)],
      created,
      bounds: { surge: 1, unavailable: 0 },
    };
    status = deploymentStatus(deployment, seen, start + at * 1000) ?? status;
    const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
    const available = status.conditions?.find(({ type }) => type === 'Available');
    const moved = (Date.parse(progressing?.lastUpdateTime ?? '') - start) / 1000;
    expect([at, progressing?.reason, available?.status, moved]).toEqual([at, ...expected]);
  }
});

test('an unchanged status is not written again', () => {
  const deployment: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', generation: 3 },
    spec: { replicas: 1, selector: {}, template: { spec: { containers: [] } } },
  };
  const seen = { newest: replicaSet('new', 1, 1, 1), old: [], created: false, bounds: { surge: 1, unavailable: 0 } };
  const first = deploymentStatus(deployment, seen, start);
  expect(first).toMatchObject({ observedGeneration: 3, replicas: 1, updatedReplicas: 1, availableReplicas: 1 });
  expect(deploymentStatus({ ...deployment, status: first! }, seen, start + 5000)).toBeUndefined();
});
