// How fast the webhook answers: `npm run bench:webhook`. The server is a process of its own with the real handler over
// HTTPS; this process plays the API server over kept connections. Two numbers: the latency at 500 admissions a second,
// sent open-loop (a late answer delays no other), and how many admissions one core carries, by the server's CPU time.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { fileURLToPath } from 'node:url';
import { ensureCertificates, type SecretStore } from '@kubeai/certificates';
import { createClock, createLog, serveHttps } from '@kubeai/daemon';
import { milliseconds } from '@kubeai/units';
import { parse } from 'yaml';
import { mutatePod } from '../../webhook/mutate-pods.ts';
import { config, labelled, ownNamespace, reviewOfPod } from '../../webhook/testing/injection.ts';
import { createWebhookHandler } from '../../webhook/webhook-handler.ts';
import { createWebhookMetrics } from '../../webhook/webhook-metrics.ts';
import { jsonOption, keepFigures, readBenchLine } from './bench-options.ts';
import { printVerdict, type Verdict } from './verdict.ts';

const ratePerSecond = 500;
const openLoopSeconds = 10;
const closedLoopCalls = 15_000;
const connections = 16;
const podBytes = 6_000;
const serverName = 'kubeai-webhook.kubeai-system.svc';

type ToParent =
  | { readonly port: number; readonly bundle: string }
  | { readonly cpuMs: number; readonly rssBytes: number };

if (process.argv[2] === 'serve') await serve();
else await measure();

async function serve(): Promise<void> {
  const clock = createClock();
  const log = createLog({ level: 'silent', name: 'bench' });
  const metrics = createWebhookMetrics();
  let stored: Awaited<ReturnType<SecretStore['read']>>;
  const store: SecretStore = {
    read: async () => stored,
    async create(data) {
      stored = { version: '1', data };
      return true;
    },
    replace: async () => false,
  };
  const certificates = await ensureCertificates(store, { dnsNames: [serverName], clock, log });
  const handler = createWebhookHandler(
    {
      '/mutate-pods': (review) => {
        const { response, outcome } = mutatePod(review, labelled, ownNamespace, config);
        metrics.admitted(outcome);
        return response;
      },
    },
    { metrics, clock, log },
  );
  const { serving, bundle } = certificates.current();
  const listener = await serveHttps(handler, serving, { host: '127.0.0.1', port: 0 });
  const say = (message: ToParent) => process.send?.(message);
  process.on('disconnect', () => process.exit(0));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    say({ cpuMs: (user + system) / 1_000, rssBytes: process.memoryUsage.rss() });
  });
  say({ port: listener.port, bundle });
}

async function measure(): Promise<void> {
  const { json } = readBenchLine({
    name: 'bench:webhook',
    summary: 'Measures how fast the webhook answers, and how many admissions a core carries.',
    options: { json: jsonOption },
  });
  const child = fork(fileURLToPath(import.meta.url), ['serve'], { execArgv: process.execArgv });
  const heard = <Message extends ToParent>() =>
    new Promise<Message>((resolve) => child.once('message', resolve as (message: unknown) => void));
  const usage = () => {
    const answer = heard<{ cpuMs: number; rssBytes: number }>();
    child.send('usage');
    return answer;
  };
  try {
    const { port, bundle } = await heard<{ port: number; bundle: string }>();
    const pod: unknown = parse(
      readFileSync(new URL('../../webhook/testing/pods/named-port.yaml', import.meta.url), 'utf8'),
    );
    // The API server sends what a pod has after defaulting, managed fields included; padded to the size of an ordinary one.
    const reviewed = padded(pod);
    const body = Buffer.from(JSON.stringify(reviewOfPod(reviewed)));
    const agent = new Agent({ keepAlive: true, maxSockets: connections, ca: bundle, servername: serverName });
    const call = () => admit(port, agent, body);
    await closedLoop(2_000, call); // connections, and the just-in-time compiler

    const latencies = await openLoop(call);
    const before = await usage();
    await closedLoop(closedLoopCalls, call);
    const after = await usage();
    const perCore = Math.round(closedLoopCalls / ((after.cpuMs - before.cpuMs) / 1_000));
    const rows = [
      [
        'pod',
        `${JSON.stringify(reviewed).length} bytes as JSON, one container; review of ${body.length} bytes, answer of ${(await call()).length} bytes`,
      ],
      [
        `at ${ratePerSecond} a second`,
        `p50 ${quantile(latencies, 0.5).toFixed(2)} ms, longest ${quantile(latencies, 1).toFixed(2)} ms`,
      ],
      ['admissions a core', `${perCore} a second, by CPU time`],
      ['memory', `${Math.round(after.rssBytes / 2 ** 20)} MiB resident`],
    ];
    for (const [name, text] of rows) process.stdout.write(`${name!.padEnd(18)} ${text}\n`);
    const verdicts: Verdict[] = [
      {
        what: `latency at ${ratePerSecond} a second, p99, ms`,
        value: quantile(latencies, 0.99),
        must: 15,
        excellent: 3,
      },
      // 1,500 and 4,000 a second a core.
      { what: 'CPU of an admission, µs', value: 1e6 / perCore, must: 667, excellent: 250 },
    ];
    for (const verdict of verdicts) printVerdict(verdict);
    keepFigures(json, { bench: 'webhook', verdicts, perCore, latenciesMs: latencies, residentBytes: after.rssBytes });
    agent.destroy();
  } finally {
    child.kill();
  }
}

/** The pod with an annotation that brings it to `podBytes`. */
function padded(pod: unknown): object {
  const { metadata, ...rest } = pod as { metadata: { annotations?: object } };
  const withPadding = (padding: string) => ({
    ...rest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, padding } },
  });
  return withPadding('x'.repeat(podBytes - JSON.stringify(withPadding('')).length));
}

function admit(port: number, agent: Agent, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        agent,
        path: '/mutate-pods?timeout=3s',
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': body.length },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () =>
          response.statusCode === 200 && text.includes('"patch"')
            ? resolve(text)
            : reject(new Error(`answered ${response.statusCode}: ${text.slice(0, 200)}`)),
        );
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Calls at their appointed time, whatever became of the ones before. Latency counts from the appointment. */
async function openLoop(call: () => Promise<string>): Promise<number[]> {
  const clock = createClock();
  const began = clock.monotonic();
  const total = ratePerSecond * openLoopSeconds;
  const calls: Promise<number>[] = [];
  while (calls.length < total) {
    const due = began + (calls.length * 1_000) / ratePerSecond;
    const wait = due - clock.monotonic();
    if (wait > 0) await clock.sleep(milliseconds(wait));
    else calls.push(call().then(() => clock.monotonic() - due));
  }
  return Promise.all(calls);
}

async function closedLoop(total: number, call: () => Promise<string>): Promise<void> {
  let started = 0;
  const worker = async () => {
    while (started++ < total) await call();
  };
  await Promise.all(Array.from({ length: connections }, worker));
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
