// What ten thousand agents cost the controller: `npm run bench:ingest [-- --connections N --seconds S]`. The receiving side
// runs in a process of its own, so that its CPU time and memory are its own; every connection is TLS and sends one real
// report a second, which is parsed, acknowledged and folded into the signals of its target (8 pods each).
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { Agent, request } from 'node:https';
import { fileURLToPath } from 'node:url';
import { ensureCertificates, type SecretStore } from '@kubeai/certificates';
import { createClock, createLog, readCommandLine, serveHttps } from '@kubeai/daemon';
import { createSignalFold } from '@kubeai/decision';
import { parsePolicy } from '@kubeai/policy';
import { encodeReport, type PodIdentity, protocolVersion, type Report } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import { after, milliseconds, minutes } from '@kubeai/units';
import { z } from 'zod';
import { createIngest } from '../../controller/ingest.ts';
import type { TokenReviews } from '../../controller/token-reviews.ts';

const podsPerTarget = 8;
const clock = createClock();
const podOf = (number: number): PodIdentity => ({ namespace: 'models', name: `chat-${number}`, uid: `uid-${number}` });

interface Usage {
  readonly cpuMs: number;
  readonly rssMiB: number;
  readonly accepted: number;
  readonly connections: number;
}

if (process.argv.includes('--receive')) await receive();
else await send();

/** The controller's side, told what to do by messages: `usage` answers with a Usage. */
async function receive(): Promise<void> {
  const log = createLog({ level: 'error', name: 'bench' });
  const parsed = parsePolicy({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { namespace: 'models', name: 'chat' },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
      maxReplicas: 10,
      metrics: {
        latency: { targetP95Ms: 1_000 },
        timeToFirstToken: { targetP95Ms: 500 },
        concurrency: { targetPerReplica: 8 },
      },
    },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const policy = parsed.value;
  const folds = new Map<number, ReturnType<typeof createSignalFold>>();
  const numberOf = (uid: string) => Number(uid.slice(4));
  const tokens: TokenReviews = {
    // The token is the pod's number: asking the API server is measured by nobody here.
    review: async (token) => ({ kind: 'pod', pod: podOf(Number(token)), until: after(clock.now(), minutes(60)) }),
  };
  const ingest = createIngest({
    tokens,
    clock,
    log,
    accept(report, receivedAt) {
      const target = Math.floor(numberOf(report.pod.uid) / podsPerTarget);
      let fold = folds.get(target);
      if (fold === undefined) {
        fold = createSignalFold(policy);
        folds.set(target, fold);
      }
      fold.accept(report, receivedAt);
      return true;
    },
  });
  const secret: { data?: Readonly<Record<string, string>> } = {};
  const store: SecretStore = {
    read: async () => (secret.data === undefined ? undefined : { version: '1', data: secret.data }),
    async create(data) {
      secret.data = data;
      return true;
    },
    replace: async () => false,
  };
  const certificates = await ensureCertificates(store, { dnsNames: ['kubeai-controller'], clock, log });
  const { serving, bundle } = certificates.current();
  const listener = await serveHttps(ingest.handle, serving, {
    host: '127.0.0.1',
    port: 0,
    requestTimeout: milliseconds(0),
  });
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    const usage: Usage = {
      cpuMs: (user + system) / 1_000,
      rssMiB: process.memoryUsage().rss / 2 ** 20,
      accepted: ingest.counts.accepted,
      connections: ingest.connections(),
    };
    process.send?.(usage);
  });
  process.send?.({ port: listener.port, bundle });
}

async function send(): Promise<void> {
  const whole = (fallback: number) =>
    z.string().regex(/^\d+$/, 'must be a whole number').transform(Number).default(fallback);
  const { connections, seconds: duration } = readCommandLine(
    {
      name: 'bench:ingest',
      summary: 'Measures what the reports of many agents cost the controller.',
      options: {
        connections: { value: 'N', describe: 'agents', fallback: '10000', schema: whole(10_000) },
        seconds: { value: 'S', describe: 'how long to measure', fallback: '20', schema: whole(20) },
      },
    },
    process,
  );
  const child = fork(fileURLToPath(import.meta.url), ['--receive']);
  try {
    const [{ port, bundle }] = (await once(child, 'message')) as [{ port: number; bundle: string }];
    const idle = await usageOf(child);
    const agents = await connect(connections, port, bundle);
    const lines = reportLines();
    let sent = 0;
    // Spread over the second, as agents that started at different moments are.
    const timers = agents.map((agent, number) => {
      let sequence = 0;
      const write = () => {
        agent.write(lines(number, sequence++));
        sent += 1;
      };
      return setTimeout(
        () => {
          write();
          timers[number] = setInterval(write, 1_000);
        },
        (number * 1_000) / connections,
      );
    });
    await clock.sleep(milliseconds(3_000));
    const before = await usageOf(child);
    const sentBefore = sent;
    await clock.sleep(milliseconds(duration * 1_000));
    const after = await usageOf(child);
    for (const timer of timers) clearInterval(timer);
    const reports = after.accepted - before.accepted;
    const cpu = after.cpuMs - before.cpuMs;
    const line = (name: string, value: string) => process.stdout.write(`${name.padEnd(34)}${value}\n`);
    line('agents connected', String(after.connections));
    line('reports a second, sent', ((sent - sentBefore) / duration).toFixed(0));
    line('reports a second, taken', (reports / duration).toFixed(0));
    line('CPU of the controller', `${((100 * cpu) / (duration * 1_000)).toFixed(1)} % of a core`);
    line('CPU a report', `${((1_000 * cpu) / reports).toFixed(1)} µs`);
    line('memory an agent', `${((1_024 * (after.rssMiB - idle.rssMiB)) / connections).toFixed(1)} KiB`);
    line('resident memory', `${after.rssMiB.toFixed(0)} MiB`);
  } finally {
    child.kill();
  }
  process.exit(0);
}

async function usageOf(child: ChildProcess): Promise<Usage> {
  child.send('usage');
  const [usage] = (await once(child, 'message')) as [Usage];
  return usage;
}

/** Opens the connections a few at a time: the handshakes are not what is measured. */
async function connect(count: number, port: number, ca: string): Promise<ClientRequest[]> {
  const agents: ClientRequest[] = [];
  const open = async (number: number) => {
    const agent = request({
      host: '127.0.0.1',
      port,
      ca,
      servername: 'kubeai-controller',
      path: '/v1/reports',
      method: 'POST',
      agent: new Agent({ maxSockets: 1 }),
      headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${number}` },
    });
    agent.flushHeaders();
    const [response] = await once(agent, 'response');
    response.resume();
    agents[number] = agent;
  };
  for (let first = 0; first < count; first += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - first) }, (_, more) => open(first + more)));
  }
  return agents;
}

/** Lines as a busy pod sends them, with full sketches; only number and sequence are put in afterwards. */
function reportLines(): (number: number, sequence: number) => string {
  const sketchOf = (count: number, center: number) => {
    const sketch = createSketch();
    for (let index = 0; index < count; index++) sketch.record(center * (0.5 + ((index * 37) % 100) / 100));
    return sketch.encode();
  };
  const report: Report = {
    version: protocolVersion,
    run: 'bench',
    sequence: 0,
    ageMs: 0,
    windowMs: 1_000,
    pod: podOf(0),
    traffic: {
      inFlight: 6,
      waitingFirstByte: 1,
      concurrency: 5.7,
      started: 5,
      finished: { '2xx': 5 },
      failed: 0,
      aborted: 0,
      rejected: 0,
      promptTokens: 4_000,
      generatedTokens: 240,
      latencyMs: sketchOf(5, 4_000),
      timeToFirstByteMs: sketchOf(5, 200),
      timeToFirstTokenMs: sketchOf(5, 200),
      interTokenMs: sketchOf(40, 30),
      unobservedConnections: 0,
    },
    queue: { length: 1, source: 'engine' },
    engine: { name: 'vllm', ageMs: 300, waiting: 1, running: 5, kvCacheRatio: 0.4 },
    gpu: {
      source: 'dcgm',
      ageMs: 700,
      devices: [{ index: 0, utilizationPercent: 87 }],
      utilizationPercent: 87,
      marks: [],
    },
    container: { ageMs: 100, cpuCores: 1.5, memoryBytes: 9_000_000_000 },
    absent: {},
  };
  const template = encodeReport(report);
  return (number, sequence) =>
    template
      .replace('"sequence":0', `"sequence":${sequence}`)
      .replace('chat-0', `chat-${number}`)
      .replace('uid-0', `uid-${number}`);
}
