// The loops against an API server that behaves like a real one, over TLS: what the scripted server cannot disagree with.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClock, createLog } from '@kubeai/daemon';
import { milliseconds } from '@kubeai/units';
import { eventually } from '../daemon/testing/eventually.ts';
import { type ApiServer, startApiServer } from '../local-cluster/api-server/api-server.ts';
import { createDiscovery } from './discovery.ts';
import { createEventRecorder } from './event-recorder.ts';
import { createKubeClient, type KubeClient } from './kube-client.ts';
import { PooledKubeConfig } from './kube-config.ts';
import type { KubeObject } from './kube-object.ts';
import { createLeaderElection } from './leader-election.ts';
import { createReflector } from './reflector.ts';
import { resources } from './resource.ts';
import { readScale, writeScale } from './scale.ts';

const clock = createClock();
const log = createLog({ level: 'silent', name: 'tested' });
const namespace = 'default';
let api: ApiServer;
let config: PooledKubeConfig;
let client: KubeClient;
beforeAll(async () => {
  api = await startApiServer({ clock });
  config = new PooledKubeConfig();
  config.loadFromString(api.kubeconfig());
  client = createKubeClient(config, { userAgent: 'test', clock });
});
afterAll(async () => {
  await config.close();
  await api.stop();
});

const map = (name: string, value: string) =>
  ({ metadata: { namespace, name, labels: { kept: 'yes' } }, data: { value } }) as KubeObject;

test('a reflector follows what is created, applied, changed and deleted, and only what it selects', async () => {
  await client.create(resources.configMaps, map('before', '1'));
  const seen: string[] = [];
  const reflector = createReflector<KubeObject>({
    client,
    resource: resources.configMaps,
    clock,
    log,
    labelSelector: 'kept=yes',
  });
  reflector.subscribe({
    upsert: (item, old) => seen.push(`${old === undefined ? 'new' : 'changed'} ${item.metadata.name}`),
    remove: (item) => seen.push(`gone ${item.metadata.name}`),
  });
  await reflector.synced;
  await client.create(resources.configMaps, { metadata: { namespace, name: 'other' } });
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', ...map('applied', '1') };
  await client.patch(resources.configMaps, applied.metadata, applied, { kind: 'apply', fieldManager: 'test' });
  await client.patch(resources.configMaps, applied.metadata, { data: { value: '2' } }, { kind: 'merge' });
  await client.patch(
    resources.configMaps,
    applied.metadata,
    [{ op: 'replace', path: '/metadata/labels/kept', value: 'no' }],
    { kind: 'json' },
  );
  await client.delete(resources.configMaps, { namespace, name: 'before' });
  await eventually(() => seen.includes('gone before'));
  // Who no longer fits the selector is gone too.
  expect(seen).toEqual(['new before', 'new applied', 'changed applied', 'gone applied', 'gone before']);
  expect([...reflector.items()]).toEqual([]);
  reflector.stop();
});

test('two candidates share a Lease; the second leads as soon as the first lets go', async () => {
  const candidate = (identity: string) =>
    createLeaderElection({ client, clock, log, namespace, name: 'lead', identity, retryPeriod: milliseconds(50) });
  const [one, two] = [candidate('one'), candidate('two')];
  const led: string[] = [];
  const ran = one.run(() => led.push('one'));
  await eventually(() => one.isLeader());
  const second = two.run(() => led.push('two'));
  one.stop();
  await ran;
  await eventually(() => two.isLeader());
  expect(led).toEqual(['one', 'two']);
  const lease = await client.read<KubeObject & { spec: object }>(resources.leases, { namespace, name: 'lead' });
  expect(lease.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
  two.stop();
  await second;
});

test('an Event is accepted and found by the object that it is about', async () => {
  const events = createEventRecorder({ client, clock, log, component: 'test' });
  const subject = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'x', uid: 'u' };
  events.record(subject, 'Normal', 'Tested', 'all is well');
  await events.flush();
  const { items } = await client.list(resources.events, { namespace, fieldSelector: 'involvedObject.name=x' });
  expect(items).toEqual([expect.objectContaining({ reason: 'Tested', message: 'all is well', count: 1 })]);
  expect(events.dropped()).toBe(0);
});

test('a Deployment is found by its kind and scaled to zero and back', async () => {
  const deployments = await createDiscovery(client, clock).find('apps/v1', 'Deployment');
  expect(deployments).toMatchObject({ plural: 'deployments', scalable: true });
  const name = { namespace, name: 'chat' };
  const labels = { app: 'chat' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'x' }] } };
  await client.create(resources.deployments, {
    metadata: name,
    spec: { replicas: 2, selector: { matchLabels: labels }, template },
  } as KubeObject);
  const first = await readScale(client, deployments!, name);
  expect(first).toMatchObject({ replicas: 2, selector: 'app=chat' });
  const none = await writeScale(client, deployments!, name, first, 0, 'test');
  expect(none).toMatchObject({ replicas: 0 });
  if (none === 'changed') return;
  // A version that has moved on is read again; a number that somebody else has set is left alone.
  await client.patch(resources.deployments, name, { metadata: { labels: { touched: 'yes' } } }, { kind: 'merge' });
  expect(await writeScale(client, deployments!, name, none, 3, 'test')).toMatchObject({ replicas: 3 });
  expect(await writeScale(client, deployments!, name, none, 5, 'test')).toBe('changed');
});
