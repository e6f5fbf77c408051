// Whom the controller believes: the token of a pod, for our audience, about that pod, and nothing else.
import { randomUUID } from 'node:crypto';
import { request } from 'node:https';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { encodeReport, protocolVersion, reportsPath, reportsProtocol } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import { apply, available, eventually, get, kubectl, namespaceOf, type Pod, podsOf, workload } from './scene.ts';

const namespace = 'tokens';
const patience = 120_000;
let pods: readonly Pod[];
let authority: string;
let address: string;

beforeAll(async () => {
  await apply(namespaceOf(namespace));
  // Without agents of their own, which would speak for the pods meanwhile.
  await apply(...workload({ namespace, name: 'chat', replicas: 2, annotations: { 'kubeai.io/inject': 'false' } }));
  await available(namespace, 'chat');
  pods = await podsOf(namespace, 'app=chat');
  authority = await eventually('the authority is published', 60, async () => {
    const { data } = await get<{ data: Record<string, string> }>('configmap', '-n', namespace, 'kubeai-ca');
    return data['ca.crt'];
  });
  const { spec } = await get<{ spec: { clusterIP: string } }>('service', '-n', 'kubeai-system', 'kubeai-controller');
  address = spec.clusterIP;
}, patience);
afterAll(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));

const tokenFor = (pod: Pod | undefined, audience?: string): Promise<string> =>
  kubectl([
    ...['create', 'token', 'default', '-n', namespace],
    ...(audience === undefined ? [] : ['--audience', audience]),
    ...(pod === undefined
      ? []
      : [
          ...['--bound-object-kind', 'Pod', '--bound-object-name', pod.metadata.name],
          ...['--bound-object-uid', pod.metadata.uid],
        ]),
  ]);

const nothing = createSketch().encode();
const reportOf = ({ metadata }: Pod): string =>
  encodeReport({
    version: protocolVersion,
    run: randomUUID(),
    sequence: 1,
    ageMs: 0,
    windowMs: 1_000,
    pod: { namespace, name: metadata.name, uid: metadata.uid },
    traffic: {
      inFlight: 0,
      waitingFirstByte: 0,
      concurrency: 0,
      started: 0,
      finished: {},
      failed: 0,
      aborted: 0,
      rejected: 0,
      generatedTokens: 0,
      latencyMs: nothing,
      timeToFirstByteMs: nothing,
      timeToFirstTokenMs: nothing,
      interTokenMs: nothing,
      unobservedConnections: 0,
    },
    queue: { length: 0, source: 'firstByte' },
    absent: {},
  });

/** Sends one report; the status and the controller's lines. */
function send(token: string, line: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: address,
      port: 9_444,
      path: reportsPath,
      ca: authority,
      servername: 'kubeai-controller.kubeai-system.svc',
      headers: { authorization: `Bearer ${token}`, connection: 'upgrade', upgrade: reportsProtocol },
      agent: false,
    });
    const read = (status: number | undefined, stream: Readable) => {
      let text = '';
      stream.on('data', (chunk) => {
        text += String(chunk);
      });
      stream.once('error', reject).once('end', () => resolve({ status: status ?? 0, text }));
    };
    sent.once('error', reject);
    sent.on('response', (response) => read(response.statusCode, response));
    sent.on('upgrade', (response, socket) => {
      read(response.statusCode, socket);
      socket.end(line);
    });
    sent.end();
  });
}

test(
  'a token of the pod for our audience is believed',
  async () => {
    const { status, text } = await send(await tokenFor(pods[0], 'kubeai.io'), reportOf(pods[0]!));
    expect({ status, text }).toEqual({ status: 101, text: '{"accepted":1}\n' });
  },
  patience,
);

test(
  'a token of one pod says nothing about another',
  async () => {
    const { text } = await send(await tokenFor(pods[0], 'kubeai.io'), reportOf(pods[1]!));
    expect(text).toContain('"reason":"WrongPod"');
  },
  patience,
);

test.each([
  ["the API server's own audience", () => tokenFor(pods[0])],
  ['another audience', () => tokenFor(pods[0], 'vault')],
  ['our audience, but of no pod', () => tokenFor(undefined, 'kubeai.io')],
  ['no token at all', async () => 'nonsense'],
])(
  'refused: %s',
  async (_name, token) => {
    const { status, text } = await send(await token(), reportOf(pods[0]!));
    expect(status).toBe(401);
    expect(text).toContain('"reason":"Unauthenticated"');
  },
  patience,
);
