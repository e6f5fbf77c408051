import { afterEach, expect, test } from '@jest/globals';
import { createManualClock } from '@kubeai/daemon';
import { minutes, seconds } from '@kubeai/units';
import { createDiscovery } from './discovery.ts';
import { createKubeClient } from './kube-client.ts';
import { resources } from './resource.ts';
import { readScale, writeScale } from './scale.ts';
import { type ScriptedApi, scriptedApi } from './testing/scripted-api.ts';

let api: ScriptedApi;
afterEach(() => api.close());
const clock = createManualClock();
const target = { namespace: 'a', name: 'chat' };

/** A Deployment's scale whose version moves on `moves` times, and whose number somebody may set, behind our back. */
async function createTarget(moves: number, somebodySets?: number) {
  let version = 1;
  let replicas = 2;
  const patches: unknown[] = [];
  api = await scriptedApi((call) => {
    const scale = () => ({
      metadata: { ...target, uid: 'u', resourceVersion: String(version) },
      spec: replicas === 0 ? {} : { replicas },
      status: { replicas: 2, selector: 'app=chat' },
    });
    if (call.method === 'GET') return call.answer(200, scale());
    patches.push(call.body);
    if (moves-- > 0) {
      version += 1;
      replicas = somebodySets ?? replicas;
    }
    const body = call.body as { metadata: { resourceVersion: string }; spec: { replicas: number } };
    if (body.metadata.resourceVersion !== String(version)) return call.refuse(409, 'Conflict');
    replicas = body.spec.replicas;
    version += 1;
    call.answer(200, scale());
  });
  const client = createKubeClient(api.config, { userAgent: 'test', clock });
  return { client, patches, replicas: () => replicas };
}

test('a scale is written through the subresource, zero included', async () => {
  const { client, patches } = await createTarget(0);
  const scale = await readScale(client, resources.deployments, target);
  expect(scale).toEqual({ replicas: 2, present: 2, selector: 'app=chat', resourceVersion: '1', uid: 'u' });
  const written = await writeScale(client, resources.deployments, target, scale, 0, 'test');
  expect(written).toMatchObject({ replicas: 0, resourceVersion: '2' });
  expect(patches).toEqual([{ metadata: { resourceVersion: '1' }, spec: { replicas: 0 } }]);
});

test.each([
  ['status writes in between are no reason to give up', 2, undefined, 5],
  ['somebody else’s number is', 1, 9, 9],
])('%s', async (_name, moves, somebodySets, replicas) => {
  const target2 = await createTarget(moves, somebodySets);
  const scale = await readScale(target2.client, resources.deployments, target);
  const written = await writeScale(target2.client, resources.deployments, target, scale, 5, 'test');
  expect(written === 'changed').toBe(somebodySets !== undefined);
  expect(target2.replicas()).toBe(replicas);
});

test('discovery names the resource of a kind, asks once, and notices a new kind', async () => {
  const asked: string[] = [];
  let kinds = [{ name: 'deployments', kind: 'Deployment', namespaced: true }];
  api = await scriptedApi((call) => {
    asked.push(call.path);
    if (call.path !== '/apis/apps/v1') return call.refuse(404, 'NotFound');
    call.answer(200, { resources: kinds });
  });
  const discovery = createDiscovery(createKubeClient(api.config, { userAgent: 'test', clock }), clock);
  const expected = { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true };
  expect(await discovery.find('apps/v1', 'Deployment')).toEqual({ ...expected, scalable: false });
  expect(await discovery.find('apps/v1', 'Deployment')).toBeDefined();
  expect(await discovery.find('x.dev/v1', 'Thing')).toBeUndefined();
  expect(asked).toEqual(['/apis/apps/v1', '/apis/x.dev/v1']);

  kinds = [
    ...kinds,
    { name: 'deployments/scale', kind: 'Scale', namespaced: true },
    { name: 'things', kind: 'Thing', namespaced: true },
  ];
  await clock.advance(seconds(20));
  expect(await discovery.find('apps/v1', 'Thing')).toMatchObject({ plural: 'things', scalable: false });
  await clock.advance(minutes(11));
  expect(await discovery.find('apps/v1', 'Deployment')).toMatchObject({ scalable: true });
});
