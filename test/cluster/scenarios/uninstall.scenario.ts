// Taking the system away must not take anything of the users with it.
import { expect, test } from '@jest/globals';
import {
  apply,
  available,
  eventually,
  follow,
  hasAgent,
  instructions,
  isReady,
  kubectl,
  namespaceOf,
  podsOf,
  policyOf,
  reachable,
  startTraffic,
  tryKubectl,
  workload,
} from './scene.ts';

const namespace = 'leaving';

test('uninstalling leaves workloads serving, lets new pods start, and keeps CRD and policies', async () => {
  await apply(namespaceOf(namespace));
  await apply(
    ...workload({ namespace, name: 'chat', replicas: 2 }),
    policyOf(namespace, 'chat', { maxReplicas: 3, minReplicas: 2, preset: 'interactive' }),
  );
  await available(namespace, 'chat');
  expect((await podsOf(namespace, 'app=chat')).map(hasAgent)).toEqual([true, true]);
  const traffic = startTraffic(await reachable(namespace, 'chat'));
  for (const block of await instructions('Uninstall')) await follow(block);
  await kubectl(['rollout', 'restart', '-n', namespace, 'deployment/chat']);
  await available(namespace, 'chat');
  await eventually('the new pods stand alone', 120, async () => {
    const pods = await podsOf(namespace, 'app=chat');
    return pods.length === 2 && pods.every((pod) => isReady(pod) && !hasAgent(pod));
  });
  const { served, failures } = await traffic.stop();
  expect(failures).toEqual([]);
  expect(served).toBeGreaterThan(10);
  expect(await kubectl(['get', 'aiap', '-n', namespace, '-o', 'name'])).toBe(
    'aiinferenceautoscalerpolicy.kubeai.io/chat',
  );
  const { stdout } = await tryKubectl([
    'get',
    'mutatingwebhookconfigurations,validatingwebhookconfigurations',
    '-o',
    'name',
  ]);
  expect(stdout).not.toContain('kubeai');
  // Nobody who has left holds anything back: a policy and its namespace go at once.
  await kubectl(['delete', 'aiap', '-n', namespace, 'chat', '--timeout=20s']);
  await kubectl(['delete', 'namespace', namespace, '--timeout=120s']);
}, 400_000);
