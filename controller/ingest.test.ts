// What comes over the line of reports: what is refused and why, what is acknowledged, and that no token is told on.
import { expect, test } from '@jest/globals';
import { createLog } from '@kubeai/daemon';
import { type KubeObject, resources } from '@kubeai/kube';
import { encodeReport, maxReportBytes, type PodIdentity } from '@kubeai/protocol';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { open, reportOf } from './testing/report-sender.ts';
import { useScene } from './testing/scene.ts';

const scene = useScene();

test('no line of the log holds a token, whatever becomes of it', async () => {
  await scene.createDeployment(1);
  const pod = await scene.createPod('chat-a');
  const bearer = 'prometheus-bearer-token';
  await scene.client().create(resources.secrets, {
    metadata: scene.named('access'),
    data: { token: Buffer.from(bearer).toString('base64') },
  } as KubeObject);
  const prometheus = { url: 'http://127.0.0.1:9', bearerToken: { name: 'access', key: 'token' } };
  await scene.applyPolicy('chat', {
    metrics: { concurrency: { targetPerReplica: 4, prometheusQuery: 'up' } },
    prometheus,
  });
  let lines = '';
  const write = (line: string) => {
    lines += line;
  };
  const told = createLog({ level: 'trace', name: 'tested', destination: { write } });
  const { listener, bundle } = await scene.start(undefined, undefined, { log: told });
  const tokens = [
    await scene.tokenFor(pod),
    await scene.tokenFor(pod, ['somebody-else']),
    'eyJub3QiOiJhIn0.b3VyLXRva2Vu.c2lnbmF0dXJl',
  ];
  for (const token of tokens) {
    const sending = await open(listener, bundle, token);
    sending.write('{"version":1,"sequence":0}\n');
    await eventually(() => sending.answer.code > 200 || sending.answer.text !== '');
    sending.destroy();
  }
  await eventually(() => lines.includes('Query of a metric failed') && lines.includes('Refused a report'));
  expect([bearer, ...tokens].filter((token) => lines.includes(token))).toEqual([]);
});

test.each<
  [
    string,
    (pod: PodIdentity) => Promise<{ token?: string | undefined; line?: string; options?: object }>,
    number,
    string,
    string | undefined,
  ]
>([
  ['no token', async () => ({}), 401, 'no bearer token was sent', 'Unauthenticated'],
  ['a token that nobody issued', async () => ({ token: 'x.y.z' }), 401, 'refused', 'Unauthenticated'],
  [
    'a token for another audience',
    async (pod) => ({ token: await scene.tokenFor(pod, ['other']) }),
    401,
    'refused',
    'Unauthenticated',
  ],
  [
    'a report of another pod',
    async (pod) => ({ token: await scene.tokenFor(pod), line: encodeReport(reportOf({ ...pod, uid: 'other' }, 1, 0)) }),
    101,
    'another pod',
    'WrongPod',
  ],
  [
    'a line that is no JSON',
    async (pod) => ({ token: await scene.tokenFor(pod), line: '{"version":\n' }),
    101,
    'cannot be read',
    'Malformed',
  ],
  [
    'another version',
    async (pod) => ({
      token: await scene.tokenFor(pod),
      line: `${JSON.stringify({ ...reportOf(pod, 1, 0), version: 99 })}\n`,
    }),
    101,
    'does not speak',
    'UnsupportedVersion',
  ],
  [
    'a line that is too long',
    async (pod) => ({ token: await scene.tokenFor(pod), line: `${'x'.repeat(maxReportBytes + 1)}\n` }),
    101,
    'longer than',
    'TooLarge',
  ],
  [
    'the same report twice',
    async (pod) => ({ token: await scene.tokenFor(pod), line: encodeReport(reportOf(pod, 7, 0)).repeat(2) }),
    101,
    '"refused":7',
    'Duplicate',
  ],
  [
    'more reports than an agent sends',
    async (pod) => ({
      token: await scene.tokenFor(pod),
      line: Array.from({ length: 300 }, (_, n) => encodeReport(reportOf(pod, n, 0))).join(''),
    }),
    101,
    'faster',
    'TooMany',
  ],
  ['another path', async () => ({ options: { path: '/v2/reports' } }), 404, '/v1/reports', undefined],
  ['another method', async () => ({ options: { method: 'PUT' } }), 405, 'GET', undefined],
  [
    'a request that asks for no other protocol',
    async () => ({ options: { headers: {} } }),
    426,
    'Upgrade header',
    undefined,
  ],
  [
    'another protocol',
    async () => ({ options: { headers: { connection: 'upgrade', upgrade: 'websocket' } } }),
    426,
    'kubeai-reports',
    undefined,
  ],
])('%s is refused over TLS with its reason, and counted', async (_what, given, code, text, reason) => {
  const controller = await scene.start();
  const pod = await scene.createPod('chat-a');
  const { token, line, options } = await given(pod);
  const sending = await open(controller.listener, controller.bundle, token, options);
  if (line !== undefined) sending.write(line);
  const { answer } = sending;
  await eventually(() => answer.text.includes(text));
  expect(answer.code).toBe(code);
  const { refused } = controller.controller.ingest.counts;
  expect(
    Object.entries(refused)
      .filter(([, count]) => count > 0)
      .map(([name]) => name),
  ).toEqual(reason === undefined ? [] : [reason]);
  sending.destroy();
});

test('a good report is acknowledged by its number; a pod that is deleted is cut off', async () => {
  const controller = await scene.start();
  const pod = await scene.createPod('chat-a');
  const sending = await open(controller.listener, controller.bundle, await scene.tokenFor(pod));
  sending.write(encodeReport(reportOf(pod, 41, 0)));
  const { answer } = sending;
  await eventually(() => answer.text === '{"accepted":41}\n');
  expect(controller.controller.ingest.connections()).toBe(1);
  await scene.client().delete(resources.pods, pod);
  await scene
    .client()
    .delete(resources.pods, pod)
    .catch(() => undefined);
  await eventually(() => answer.ended);
  expect(answer.text).toContain('UnknownPod');
  expect(controller.controller.ingest.connections()).toBe(0);
});
