import { mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog, createManualClock } from '@kubeai/daemon';
import { instant, seconds } from '@kubeai/units';
import { eventually } from '../testing/rehearsal.ts';
import type { Pod, Volume } from '../workloads/objects.ts';
import { createPodVolumes, type PodVolumes } from './pod-volumes.ts';

const start = Date.parse('2026-01-01T12:00:00Z');
let directory: string;
let clock = createManualClock(instant(start));
let config: Record<string, string> | undefined;
let tokens: string[];
let volumes: PodVolumes;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'volumes-'));
  clock = createManualClock(instant(start));
  config = { color: 'red', shape: 'round' };
  tokens = [];
  volumes = createPodVolumes(join(directory, 'volumes'), {
    clock,
    log: createLog({ level: 'silent', name: 'test' }),
    claims: join(directory, 'claims'),
    factsOf: (pod, podIP) => ({ pod, podIP, hostIP: '127.0.0.1', allocatable: {} }),
    source: {
      configMap: async () =>
        config && { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'config' }, data: config },
      secret: async () => undefined,
      now: () => clock.now(),
      async issueToken(_pod, { audience, expirationSeconds = 0 }) {
        tokens.push(`token ${tokens.length + 1} for ${audience}`);
        const expires = new Date(clock.now() + expirationSeconds * 1000);
        return { token: tokens.at(-1) ?? '', expirationTimestamp: expires.toISOString() };
      },
    },
  });
});
afterEach(async () => {
  volumes.stop();
  await rm(directory, { recursive: true });
});

const podWith = (...list: Volume[]): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'shop', labels: { app: 'web' } },
  spec: { containers: [], volumes: list },
});
const path = (...parts: string[]) => join(directory, 'volumes', ...parts);
const text = (...parts: string[]) => readFile(path(...parts), 'utf8');

test('a change swaps all files at once, and what is gone is gone', async () => {
  const pod = podWith({ name: 'v', configMap: { name: 'config' } });
  await volumes.write(pod, '127.64.0.1');
  const before = await readlink(path('v', '..data'));
  expect([await text('v', 'color'), await text('v', 'shape')]).toEqual(['red', 'round']);
  await volumes.write(pod, '127.64.0.1');
  expect(await readlink(path('v', '..data'))).toBe(before);
  config = { color: 'blue' };
  await volumes.write(pod, '127.64.0.1');
  expect(await readlink(path('v', '..data'))).not.toBe(before);
  expect(await text('v', 'color')).toBe('blue');
  expect((await readdir(path('v'))).filter((name) => !name.startsWith('..'))).toEqual(['color']);
});

test('a projected volume gathers its sources, and a token is renewed at 80 % of its life', async () => {
  const serviceAccountToken = { audience: 'kubeai.io', path: 'token', expirationSeconds: 1000 };
  const items = [{ path: 'deep/name', fieldRef: { fieldPath: 'metadata.name' } }];
  const pod = podWith({
    name: 'v',
    projected: {
      defaultMode: 0o600,
      sources: [
        { serviceAccountToken },
        { configMap: { name: 'config', items: [{ key: 'color', path: 'paint', mode: 0o444 }] } },
        { secret: { name: 'missing', optional: true } },
        { downwardAPI: { items } },
      ],
    },
  });
  await volumes.write(pod, '127.64.0.1');
  expect([await text('v', 'token'), await text('v', 'paint'), await text('v', 'deep/name')]).toEqual([
    'token 1 for kubeai.io',
    'red',
    'p',
  ]);
  const mode = async (name: string) => ((await stat(path('v', name))).mode & 0o777).toString(8);
  expect([await mode('token'), await mode('paint')]).toEqual(['600', '444']);
  await clock.advance(seconds(799));
  expect(tokens.length).toBe(1);
  await clock.advance(seconds(1));
  await eventually(
    () => text('v', 'token'),
    (token) => token === 'token 2 for kubeai.io',
  );
});

test.each<[string, Volume, string]>([
  ['a missing ConfigMap', { name: 'v', configMap: { name: 'config' } }, 'configmap "config" not found'],
  ['a missing Secret', { name: 'v', secret: { secretName: 's' } }, 'secret "s" not found'],
  ['a kind that does not exist here', { name: 'v', nfs: { server: 'x' } }, 'volume "v" is of the kind nfs'],
])('%s is refused', async (_case, volume, message) => {
  config = undefined;
  await expect(volumes.write(podWith(volume), '127.64.0.1')).rejects.toThrow(message);
});

test('mounts lie in the pod, claims outlive it', async () => {
  await volumes.write(
    podWith({ name: 'scratch', emptyDir: {} }, { name: 'data', persistentVolumeClaim: { claimName: 'data-0' } }),
    '127.64.0.1',
  );
  const mounts = await volumes.mountsOf({
    name: 'c',
    volumeMounts: [
      { name: 'scratch', mountPath: '/tmp/x', subPath: 'inner' },
      { name: 'data', mountPath: '/data' },
    ],
  });
  expect(mounts).toEqual([
    { mountPath: '/tmp/x', directory: path('scratch/inner') },
    { mountPath: '/data', directory: join(directory, 'claims/shop/data-0') },
  ]);
  expect((await stat(path('scratch/inner'))).isDirectory()).toBe(true);
});
