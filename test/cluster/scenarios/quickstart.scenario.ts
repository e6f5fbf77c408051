// The main job, on real Kubernetes: a Deployment grows with its traffic, comes back, and nobody loses a request.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { readTrace, replay } from '@kubeai/load';
import { apply, eventually, follow, get, instructions, kubectl, reachable, repository } from './scene.ts';

const namespace = 'quickstart';
afterAll(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));

interface Policy {
  readonly status: {
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
}

test('the quickstart grows with its traffic and comes back, and kubectl shows it', async () => {
  for (const block of await instructions('Try it')) await follow(block);
  let table = '';
  const watch = spawn('kubectl', ['get', 'aiap', '-n', namespace, '--watch'], { cwd: repository });
  watch.stdout.on('data', (chunk) => {
    table += String(chunk);
  });
  try {
    const trace = await readTrace(join(repository, 'examples/traces/sample-chat.csv'));
    if (!trace.ok) throw new Error(trace.problems.map(({ message }) => message).join('; '));
    const report = await replay(trace.value, { url: await reachable(namespace, 'chat') });
    const failed = report.records.filter(({ outcome }) => outcome !== 'ok').map(({ outcome }) => outcome);
    expect(report.records.length).toBeGreaterThan(500);
    expect(failed).toEqual([]);
    await eventually('one replica again', 120, async () => {
      const { spec, status } = await get<{ spec: { replicas: number }; status: { replicas: number } }>(
        'deployment',
        '-n',
        namespace,
        'chat',
      );
      return spec.replicas === 1 && status.replicas === 1;
    });
  } finally {
    watch.kill();
  }
  const desired = table
    .split('\n')
    .filter((line) => line.startsWith('chat '))
    .map((line) => Number(line.split(/\s+/)[4]));
  expect(Math.max(...desired)).toBeGreaterThanOrEqual(3);
  const events = await kubectl(['get', 'events', '-n', namespace, '-o', 'jsonpath={.items[*].reason}']);
  expect(events.split(' ')).toContain('ScaledUp');
}, 480_000);

test('an HPA on the same target is seen, and nobody fights it', async () => {
  await apply({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'rival', namespace },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
      minReplicas: 2,
      maxReplicas: 3,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
    },
  });
  const conflict = await eventually('the policy tells of the HPA', 30, async () => {
    const { status } = await get<Policy>('aiap', '-n', namespace, 'chat');
    return status.conditions.find(({ type, status: value }) => type === 'Conflict' && value === 'True');
  });
  expect(conflict.message).toContain('rival');
  // The HPA raises to its own minimum; had we an opinion, it would be one replica.
  await eventually("the HPA's two replicas stand", 60, async () => {
    const { spec } = await get<{ spec: { replicas: number } }>('deployment', '-n', namespace, 'chat');
    return spec.replicas === 2;
  });
  await kubectl(['delete', 'hpa', '-n', namespace, 'rival']);
  await kubectl(['wait', '--for=condition=Ready', '--timeout=60s', '-n', namespace, 'aiap/chat']);
}, 180_000);
