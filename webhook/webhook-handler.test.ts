// Over real HTTPS, with certificates of our own authority.
import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ensureCertificates, type Lifetimes, type SecretStore } from '@kubeai/certificates';
import {
  createClock,
  createLog,
  createManualClock,
  type ManualClock,
  type SecureListener,
  serveHttps,
} from '@kubeai/daemon';
import { instant, milliseconds, seconds } from '@kubeai/units';
import { allowed } from './admission-review.ts';
import { bodyDeadline, maxBodyBytes } from './limits.ts';
import { mutatePod } from './mutate-pods.ts';
import { config, labelled, modelPod, ownNamespace, reviewOfPod } from './testing/injection.ts';
import { createWebhookHandler } from './webhook-handler.ts';
import { createWebhookMetrics } from './webhook-metrics.ts';

const log = createLog({ level: 'silent', name: 'test' });
const serverName = 'kubeai-webhook.kubeai-system.svc';
const metrics = createWebhookMetrics();
const answers = {
  '/mutate-pods': (review: Parameters<typeof mutatePod>[0]) =>
    mutatePod(review, labelled, ownNamespace, config).response,
  '/broken': () => {
    throw new Error('a bug');
  },
  '/echo': (review: { uid: string }) => allowed(review.uid),
};

/** A Secret in memory, with the API server's rule that a write naming an old version loses. */
function createMemoryStore(): SecretStore {
  let stored: Awaited<ReturnType<SecretStore['read']>>;
  return {
    read: async () => stored,
    async create(data) {
      stored ??= { version: '1', data };
      return stored.data === data;
    },
    async replace(data, version) {
      if (stored?.version !== version) return false;
      stored = { version: `${Number(version) + 1}`, data };
      return true;
    },
  };
}

interface Answer {
  readonly code: number;
  readonly body: string;
}

let listener: SecureListener;
let bundle: string;
let clock: ManualClock;
let agent: Agent;

beforeAll(async () => {
  clock = createManualClock(instant(Date.now()));
  const certificates = await ensureCertificates(createMemoryStore(), { dnsNames: [serverName], clock, log });
  bundle = certificates.current().bundle;
  listener = await serveHttps(createWebhookHandler(answers, { metrics, clock, log }), certificates.current().serving, {
    host: '127.0.0.1',
    port: 0,
  });
  agent = new Agent({ keepAlive: true, ca: bundle, servername: serverName });
  certificates.stop();
});
afterAll(async () => {
  agent.destroy();
  await listener.drain(seconds(1));
});

function send(
  path: string,
  body: string | Buffer,
  options: { method?: string; agent?: Agent; port?: number; headers?: Record<string, string | number> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = httpsRequest(
      {
        host: '127.0.0.1',
        port: options.port ?? listener.port,
        path,
        method: options.method ?? 'POST',
        agent: options.agent ?? agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...options.headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

test('a pod comes back with a patch, over a connection that is kept', async () => {
  const review = JSON.stringify(reviewOfPod(modelPod()));
  for (let round = 0; round < 3; round++) {
    const { code, body } = await send('/mutate-pods?timeout=3s', review);
    expect(code).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: '705ab4f5-6393-11e8-b7cc-42010a800002', allowed: true, patchType: 'JSONPatch' },
    });
  }
});

test('a bug lets the object through and says so', async () => {
  const { code, body } = await send('/broken', JSON.stringify(reviewOfPod(modelPod())));
  expect(code).toBe(200);
  expect(JSON.parse(body)).toMatchObject({
    response: { allowed: true, warnings: [expect.stringContaining('internal error')] },
  });
});

test.each<[string, string, string | Buffer, object, number]>([
  ['another path', '/other', '{}', {}, 404],
  ['a name of the prototype', '/constructor', '{}', {}, 404],
  ['another method', '/mutate-pods', '', { method: 'GET' }, 405],
  ['no review', '/mutate-pods', '{"request":{}}', {}, 400],
  ['no JSON', '/mutate-pods', 'x', {}, 400],
])('%s is refused', async (_name, path, body, options, code) => {
  expect(await send(path, body, options)).toMatchObject({ code, body: expect.stringMatching(/.+/) });
});

test('a body of 3 MiB is read, one byte more is refused', async () => {
  const head = JSON.stringify(reviewOfPod({ spec: { containers: [{ name: 'x' }] } })).slice(0, -1);
  const padded = (length: number) => `${head}${' '.repeat(length - head.length - 1)}}`;
  expect(await send('/echo', padded(maxBodyBytes))).toMatchObject({ code: 200 });
  expect(await send('/echo', padded(maxBodyBytes + 1))).toMatchObject({ code: 413 });
});

/** Writes raw bytes over TLS and resolves with what came back when the server closes. */
function speak(parts: readonly (string | Buffer)[], afterwards: () => void): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect({ host: '127.0.0.1', port: listener.port, ca: bundle, servername: serverName }, () => {
      for (const part of parts) socket.write(part);
      afterwards();
    });
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    socket.on('error', () => resolve(heard));
    socket.on('close', () => resolve(heard));
  });
}

test('a body without a length is cut when it grows too long', async () => {
  const chunk = Buffer.alloc(1_048_576, ' ');
  const framed = Buffer.concat([Buffer.from('100000\r\n'), chunk, Buffer.from('\r\n')]);
  const heard = await speak(
    ['POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', framed, framed, framed, framed],
    () => undefined,
  );
  expect(heard).toMatch(/^HTTP\/1.1 413 /);
});

test('a client that does not finish its body is cut', async () => {
  const waiting = speak(['POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{'], () => undefined);
  let open = true;
  void waiting.then(() => {
    open = false;
  });
  // The deadline starts when the server has seen the head; time is ours to move until it has.
  while (open) {
    await clock.advance(bodyDeadline);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await waiting).toMatch(/^HTTP\/1.1 408 /);
});

test('what was answered is counted', async () => {
  const text = await new Promise<string>((resolve) => {
    metrics.answer({ url: '/metrics' } as never, { writeHead: () => ({ end: resolve }) } as never);
  });
  expect(text).toMatch(/controller_runtime_webhook_requests_total\{webhook="\/mutate-pods",code="200"\} 3/);
  expect(text).toMatch(/controller_runtime_webhook_requests_total\{webhook="unknown",code="404"\} 2/);
});

// A serving certificate is renewed when a third of its life is left, so every 5 s here: KUBEAI_ROTATION_SECONDS=120 makes
// two minutes of it.
const rotationSeconds = Number(process.env['KUBEAI_ROTATION_SECONDS'] ?? 12);
test(
  'certificates rotate under load and no call fails',
  async () => {
    // Every lifetime of a year pressed into seconds; certificates count in whole seconds, and a busy machine needs slack.
    const lifetimes: Lifetimes = {
      authority: seconds(15),
      overlap: seconds(5),
      serving: milliseconds(7_500),
      check: milliseconds(50),
    };
    const realClock = createClock();
    const servings = new Set<string>();
    const authorities = new Set<string>();
    let trusted = '';
    const certificates = await ensureCertificates(createMemoryStore(), {
      dnsNames: [serverName],
      lifetimes,
      clock: realClock,
      log,
      onChange(state) {
        trusted = state.bundle; // the API server reads the new caBundle before we serve with it
        rotating.setCertificate(state.serving);
        servings.add(state.serving.cert);
        authorities.add(state.bundle);
      },
    });
    trusted = certificates.current().bundle;
    const rotating = await serveHttps(
      createWebhookHandler(answers, { metrics, clock: realClock, log }),
      certificates.current().serving,
      { host: '127.0.0.1', port: 0 },
    );
    const review = JSON.stringify(reviewOfPod(modelPod()));
    const failures: unknown[] = [];
    let calls = 0;
    const ends = realClock.monotonic() + seconds(rotationSeconds);
    // New handshakes with what is trusted at this moment, and an old connection that outlives every certificate.
    const caller = async () => {
      const kept = new Agent({ keepAlive: true, ca: trusted, servername: serverName });
      while (realClock.monotonic() < ends) {
        const fresh = new Agent({ ca: trusted, servername: serverName });
        for (const agent of [fresh, kept]) {
          calls++;
          await send('/mutate-pods', review, { agent, port: rotating.port }).then(
            ({ code }) => code === 200 || failures.push(code),
            (cause: unknown) => failures.push(cause),
          );
        }
        fresh.destroy();
        await realClock.sleep(milliseconds(25));
      }
      kept.destroy();
    };
    await Promise.all([caller(), caller(), caller(), caller()]);
    certificates.stop();
    await certificates.check(); // one may be under way
    await rotating.drain(seconds(1));
    const figures = { calls, servings: servings.size, bundles: authorities.size };
    if (process.env['KUBEAI_ROTATION_SECONDS'] !== undefined) process.stderr.write(`${JSON.stringify(figures)}\n`);
    expect(failures).toEqual([]);
    expect(figures.servings).toBeGreaterThanOrEqual(Math.floor(rotationSeconds / 5) - 1);
    expect(figures.bundles).toBeGreaterThanOrEqual(1);
    expect(calls).toBeGreaterThan(50);
  },
  (rotationSeconds + 30) * 1_000,
);
