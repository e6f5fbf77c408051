import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { createManualClock } from '@kubeai/daemon';
import { createKubeClient, KubeError } from './kube-client.ts';
import { loadKubeConfig } from './kube-config.ts';
import { resources } from './resource.ts';
import { scriptedApi } from './testing/scripted-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'kube-config-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const kubeconfig = (change: Record<string, unknown> = {}) =>
  JSON.stringify({
    'current-context': 'main',
    contexts: [{ name: 'main', context: { cluster: 'main', user: 'main', namespace: 'apps' } }],
    clusters: [{ name: 'main', cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ name: 'main', user: { token: 'a-token' } }],
    ...change,
  });

test.each([
  ['nothing to read', {}, 'kubeconfig is not given and this is no pod: set KUBECONFIG to a kubeconfig file'],
  ['a file that is not there', { KUBECONFIG: '/nowhere/config' }, 'KUBECONFIG /nowhere/config cannot be read (ENOENT)'],
  ['a file that is no YAML', { KUBECONFIG: file('broken', '{[') }, 'broken is no valid kubeconfig: '],
  [
    'a file of something else',
    { KUBECONFIG: file('other', 'kind: Pod') },
    'other has no contexts: is it a kubeconfig?',
  ],
  ['an unknown context', { KUBECONFIG: file('context', kubeconfig({ 'current-context': 'x' })) }, 'to one of [main]'],
  ['no such cluster', { KUBECONFIG: file('cluster', kubeconfig({ clusters: [] })) }, 'names a cluster "main"'],
  ['no such user', { KUBECONFIG: file('user', kubeconfig({ users: [] })) }, 'names a user "main"'],
  [
    'a server that is no URL',
    { KUBECONFIG: file('url', kubeconfig({ clusters: [{ name: 'main', cluster: { server: 'nowhere' } }] })) },
    'has the server "nowhere", which is no URL',
  ],
])('%s is one line', (_what, environment, message) => {
  const loaded = loadKubeConfig({ environment });
  expect(loaded.ok).toBe(false);
  const problems = loaded.ok ? [] : loaded.problems;
  const [line] = problems.map((problem) => `${problem.field} ${problem.message}`);
  expect(problems).toHaveLength(1);
  expect(line).toContain(message);
  expect(line).not.toContain('\n');
});

test('a given path wins, and several files are merged', () => {
  const users = file('users', kubeconfig({ clusters: [], contexts: [] }));
  const rest = file('rest', kubeconfig({ users: [] }));
  const merged = loadKubeConfig({ environment: { KUBECONFIG: `${rest}:${users}` } });
  expect(merged.ok && merged.value.getCurrentUser()?.token).toBe('a-token');
  const given = loadKubeConfig({ path: file('given', kubeconfig()), environment: { KUBECONFIG: '/nowhere' } });
  expect(given.ok && given.value.getCurrentCluster()?.server).toBe('http://127.0.0.1:1');
});

test('a token file beside the kubeconfig is read', async () => {
  const seen: (string | undefined)[] = [];
  const api = await scriptedApi((call) => {
    seen.push(call.headers.authorization);
    call.answer(200, { metadata: { name: 'a' } });
  });
  file('token', 'from-a-file');
  const clusters = [{ name: 'main', cluster: { server: api.url } }];
  const users = [{ name: 'main', user: { tokenFile: 'token' } }];
  const loaded = loadKubeConfig({ path: file('with-token-file', kubeconfig({ clusters, users })), environment: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const client = createKubeClient(loaded.value, { userAgent: 'test', clock: createManualClock() });
  await client.read(resources.namespaces, { name: 'a' });
  expect(seen).toEqual(['Bearer from-a-file']);
  await loaded.value.close();
  await api.close();
});

test('hundreds of calls share sixteen connections and carry the token', async () => {
  const tokens = new Set<string | undefined>();
  const api = await scriptedApi((call) => {
    tokens.add(call.headers.authorization);
    call.answer(200, { metadata: { name: 'a' } });
  });
  const client = createKubeClient(api.config, { userAgent: 'test', clock: createManualClock() });
  await Promise.all(Array.from({ length: 300 }, () => client.read(resources.namespaces, { name: 'a' })));
  expect(api.connections()).toBeLessThanOrEqual(16);
  expect([...tokens]).toEqual(['Bearer a-token']);
  await api.close();
});

test('what the server refuses keeps its code, reason and message; a missing object can be a value', async () => {
  const calls: string[] = [];
  const api = await scriptedApi((call) => {
    if (call.path.endsWith('/proxy')) return call.answer(502, '<html>bad gateway</html>');
    call.refuse(call.method === 'GET' ? 404 : 409, call.method === 'GET' ? 'NotFound' : 'Conflict');
  });
  const client = createKubeClient(api.config, {
    userAgent: 'test',
    clock: createManualClock(),
    onCall: ({ method, code }) => calls.push(`${method} ${code}`),
  });
  const name = { namespace: 'a', name: 'b' };
  expect(await client.find(resources.pods, name)).toBeUndefined();
  await expect(client.read(resources.pods, name)).rejects.toThrow('NotFound!');
  const conflict = client.patch(resources.pods, name, {}, { kind: 'merge' });
  await expect(conflict).rejects.toMatchObject({ code: 409, reason: 'Conflict' });
  await expect(conflict).rejects.toBeInstanceOf(KubeError);
  await expect(client.get('/proxy')).rejects.toThrow('GET /proxy was answered with 502: "<html>bad gateway</html>"');
  expect(calls).toEqual(['GET 404', 'GET 404', 'PATCH 409', 'GET 502']);
  await api.close();
});
