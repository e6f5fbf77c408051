import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { expect, test } from '@jest/globals';
import { seconds } from '@kubeai/units';
import { createHealth } from './health.ts';
import { serveHttp } from './listener.ts';
import { eventually } from './testing/eventually.ts';

const local = { host: '127.0.0.1', port: 0 };

test('a drain lets what is in flight end and closes idle connections', async () => {
  const waiting: ServerResponse[] = [];
  const listener = await serveHttp((request, response) => {
    if (request.url === '/slow') waiting.push(response.writeHead(200));
    else response.end('quick');
    if (request.url === '/slow') response.write('first');
  }, local);
  const agent = new Agent({ keepAlive: true });
  const quick = await fetchText(`${listener.url}/quick`, agent);
  const slow = fetchText(`${listener.url}/slow`, agent);
  await eventually(() => waiting.length === 1);

  const drained = listener.drain(seconds(60));
  waiting[0]!.end(' last');
  expect([quick, await slow]).toEqual(['quick', 'first last']);
  await drained;
  await expect(fetchText(`${listener.url}/quick`)).rejects.toThrow('ECONNREFUSED');
  agent.destroy();
});

test('what is still in flight at the deadline is cut', async () => {
  const listener = await serveHttp((_request, response) => response.writeHead(200).write('never ends'), local);
  const cut = fetchText(listener.url);
  const seen = expect(cut).rejects.toThrow();
  await once(listener.server, 'request');
  await listener.drain(seconds(0.05));
  await seen;
});

test('a port already taken is one clear line', async () => {
  const first = await serveHttp(() => undefined, local);
  await expect(serveHttp(() => undefined, { ...local, port: first.port })).rejects.toThrow(
    `127.0.0.1:${first.port} is already taken: end the process that listens there, or choose another port`,
  );
  await first.drain(seconds(0));
});

test('health answers name what is wrong, and a retired process is live but not ready', async () => {
  let problem: string | undefined = 'the first list is not complete';
  const health = createHealth({ ready: { policies: () => problem } });
  const listener = await serveHttp((request, response) => {
    if (!health.answer(request, response)) response.end('ours');
  }, local);
  const answers = async () => [
    await fetchText(`${listener.url}/healthz`),
    await fetchText(`${listener.url}/readyz?verbose`),
  ];
  expect(await answers()).toEqual(['ok\n', 'policies: the first list is not complete\n']);
  problem = undefined;
  expect(await answers()).toEqual(['ok\n', 'ok\n']);
  health.retire();
  expect(await answers()).toEqual(['ok\n', 'shutdown: the process is ending\n']);
  expect(await fetchText(`${listener.url}/other`)).toBe('ours');
  await listener.drain(seconds(1));
});

async function fetchText(url: string, agent?: Agent): Promise<string> {
  const request = get(url, agent === undefined ? {} : { agent });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}
