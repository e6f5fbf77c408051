import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { createClock } from '@kubeai/daemon';
import type { Snapshot } from '@kubeai/decision';
import type { AlgorithmPlugin, Policy } from '@kubeai/policy';
import { milliseconds } from '@kubeai/units';
import { createAlgorithmPlugins } from './algorithm-plugin.ts';

const folder = mkdtempSync(join(tmpdir(), 'plugins-'));
const inside = join(folder, 'allowed');
mkdirSync(inside);
const secret = join(folder, 'outside.mjs');
for (const [path, text] of [
  [secret, 'export default () => 99;'],
  [join(inside, 'double.mjs'), 'export default ({ snapshot }) => ({ replicas: snapshot.replicas * 2 });'],
  [join(inside, 'hangs.mjs'), 'export default () => new Promise(() => undefined);'],
  [join(inside, 'throws.mjs'), "export default () => { throw new Error('no idea'); };"],
  [join(inside, 'empty.mjs'), 'export const x = 1;'],
] as const) {
  writeFileSync(path, text);
}
symlinkSync(secret, join(inside, 'link.mjs'));
const plugins = createAlgorithmPlugins(createClock(), inside);
afterAll(async () => {
  await plugins.stop();
  rmSync(folder, { recursive: true });
});

const ask = (plugin: AlgorithmPlugin | undefined, from = plugins) =>
  from.ask(
    { algorithm: { name: 'ours', weights: {}, ...(plugin && { plugin }) } } as Policy,
    { replicas: 3 } as Snapshot,
  );
const timeout = milliseconds(500);
const module = (path: string): AlgorithmPlugin => ({ kind: 'module', path, timeout });
const failed = (cause: string) => ({ kind: 'failed', cause: expect.stringContaining(cause) });

test.each<[string, object]>([
  ['double.mjs', { kind: 'answer', value: { replicas: 6 } }],
  ['hangs.mjs', failed('did not answer within 500 ms')],
  ['throws.mjs', failed('no idea')],
  ['empty.mjs', failed('exports no function')],
  ['absent.mjs', failed('has no module absent.mjs')],
  ['../outside.mjs', failed('has no module ../outside.mjs')],
  ['link.mjs', failed('has no module link.mjs')],
])('the module %s', async (path, answer) => {
  expect(await ask(module(path))).toEqual(answer);
});

test('without a directory no module is run, and a policy without a plugin asks nobody', async () => {
  const closed = createAlgorithmPlugins(createClock(), undefined);
  expect(await ask(module('double.mjs'), closed)).toEqual(failed('--plugin-directory'));
  expect(await ask(undefined)).toBeUndefined();
  await closed.stop();
});

test.each<[string, RequestListener | undefined, object]>([
  ['answers', (_request, response) => response.end('{"replicas":4}'), { kind: 'answer', value: { replicas: 4 } }],
  ['fails', (_request, response) => response.writeHead(500).end(), failed('status 500')],
  ['talks nonsense', (_request, response) => response.end('four'), failed('JSON')],
  ['never ends', (_request, response) => response.end('x'.repeat(200_000)), failed('without end')],
  ['is silent', () => undefined, failed('did not answer within 500 ms')],
  ['is away', undefined, failed('ECONNREFUSED')],
])('an endpoint that %s', async (_what, handle, answer) => {
  const server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  if (handle === undefined) server.close();
  expect(await ask({ kind: 'http', url, timeout })).toEqual(answer);
  server.closeAllConnections();
  server.close();
});
