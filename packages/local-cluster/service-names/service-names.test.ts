import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ClusterClient, KubeObject, WatchEvent } from '../cluster-client.ts';
import { startServiceNames } from './service-names.ts';

const run = promisify(execFile);
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'service-names-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const service = (name: string, clusterIP: string) => ({ metadata: { name, namespace: 'shop' }, spec: { clusterIP } });

/** A client whose only watch is played by the test. */
function services() {
  let tell: (event: WatchEvent) => void = () => undefined;
  const client = {
    watch(_resource: string, _options: object, onEvent: (event: WatchEvent) => void) {
      tell = onEvent;
      return () => undefined;
    },
  } as unknown as ClusterClient;
  return { client, tell: (type: WatchEvent['type'], object: unknown) => tell({ type, object: object as KubeObject }) };
}

async function lookUp(environment: Readonly<Record<string, string>>, hostname: string): Promise<string> {
  const script = `require('dns').lookup(${JSON.stringify(hostname)}, (error, address) => console.log(error?.code ?? address))`;
  const { stdout } = await run(process.execPath, ['-e', script], { env: { ...process.env, ...environment } });
  return stdout.trim();
}

test('Node programs find a Service by its names, new ones and not removed ones', async () => {
  const { client, tell } = services();
  const names = startServiceNames(client, directory);
  tell('ADDED', service('web', '127.96.0.7'));
  expect(await lookUp(names.environment, 'web.shop.svc')).toBe('127.96.0.7');
  expect(await lookUp(names.environment, 'web.shop.svc.cluster.local')).toBe('127.96.0.7');
  expect(await lookUp(names.environment, 'localhost')).toMatch(/^(127\.0\.0\.1|::1)$/);
  tell('DELETED', service('web', '127.96.0.7'));
  expect(await lookUp(names.environment, 'web.shop.svc')).toMatch(/^E/);
});
