// What ten thousand agents cost the controller: `npm run bench:ingest [-- --connections N --seconds S]`. The receiving side
// runs in a process of its own, so that its CPU time and memory are its own; every connection is TLS and sends one real
// report a second, which is parsed, acknowledged and folded into the signals of its target (8 pods each). Once a second, as
// the controller decides, it looks how old the newest report of every pod is. Then it is killed and started again on its
// port, and the agents come back as agents do. Every phase has an end, and says on stderr how far it is. Last comes
// bench:reaction: how long a step takes from an agent's socket to the PATCH.
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { request } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { dirname, join } from 'node:path';
import { connect as connectSecurely, createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { ensureCertificates, type SecretStore } from '@kubeai/certificates';
import { createClock, createLog } from '@kubeai/daemon';
import { createSignalFold } from '@kubeai/decision';
import { parsePolicy } from '@kubeai/policy';
import {
  encodeReport,
  type PodIdentity,
  protocolVersion,
  type Report,
  reconnectDelay,
  reportsPath,
  reportsProtocol,
} from '@kubeai/protocol';
import { createSketch, type EncodedSketch } from '@kubeai/sketch';
import { after, type Milliseconds, milliseconds, minutes, seconds } from '@kubeai/units';
import { createIngest } from '../../controller/ingest.ts';
import { serveReports } from '../../controller/report-listener.ts';
import { beginThrift } from '../../controller/thrift.ts';
import type { TokenReviews } from '../../controller/token-reviews.ts';
import { bundle } from '../../docker/bundle.ts';
import { jsonOption, keepFigures, readBenchLine, wholeNumberOption } from './bench-options.ts';
import { median, printVerdict, type Verdict } from './verdict.ts';

const podsPerTarget = 8;
/** Connecting ten thousand takes 30 s, coming back is asked within 15: who takes longer than this does not end. */
const patience = seconds(120);
const comingAtOnce = 100;
const clock = createClock();
const podOf = (number: number): PodIdentity => ({ namespace: 'models', name: `chat-${number}`, uid: `uid-${number}` });

interface Start {
  readonly port: number;
  readonly secret?: Readonly<Record<string, string>>;
}

interface Usage {
  readonly cpuMs: number;
  readonly rssMiB: number;
  /** Age of the newest report of each pod whenever it is decided, since the last question, ms. */
  readonly agesMs: EncodedSketch;
  readonly accepted: number;
  readonly connections: number;
}

/** The controller's side, told what to do by messages: `usage` answers with a Usage. */
async function receive(): Promise<void> {
  beginThrift();
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
  // When each pod's newest report was written, by the clock of the machine that both sides share: its number says so.
  const writtenAt = new Map<string, number>();
  const ages = createSketch();
  clock.every(milliseconds(1_000), () => {
    const now = Date.now();
    for (const at of writtenAt.values()) ages.record(Math.max(0, now - at));
  });
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
      writtenAt.set(report.pod.uid, report.sequence);
      return true;
    },
  });
  // A controller that starts again finds the certificates that its predecessor made, and takes its port.
  const { secret: kept, port } = JSON.parse(process.argv.at(-1)!) as Start;
  const secret: { data?: Readonly<Record<string, string>> } = kept === undefined ? {} : { data: kept };
  const store: SecretStore = {
    read: async () => (secret.data === undefined ? undefined : { version: '1', data: secret.data }),
    async create(data) {
      secret.data = data;
      return true;
    },
    replace: async () => false,
  };
  const certificates = await ensureCertificates(store, { dnsNames: ['kubeai-controller'], clock, log });
  const identity = certificates.current();
  const listener = await serveReports(ingest.receive, identity, { clock, host: '127.0.0.1', port });
  // Nobody is left to ask.
  process.on('disconnect', () => process.exit(0));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    const usage: Usage = {
      cpuMs: (user + system) / 1_000,
      rssMiB: process.memoryUsage().rss / 2 ** 20,
      accepted: ingest.counts.accepted,
      connections: ingest.connections(),
      agesMs: ages.encode(),
    };
    ages.clear();
    process.send?.(usage);
  });
  process.send?.({ port: listener.port, bundle: identity.bundle, secret: secret.data });
}

/** As it is shipped: one file, without what compiles TypeScript. */
async function bundled(directory: string): Promise<string> {
  const outfile = join(directory, 'ingest.mjs');
  // This file asks for the bundler itself, which cannot be bundled.
  await bundle(fileURLToPath(import.meta.url), outfile, ['esbuild']);
  return outfile;
}

const elapsedSince = (from: Milliseconds) => clock.monotonic() - from;
const say = (text: string) => process.stderr.write(`${text}\n`);

/** The next message of the other side; an error when there will be none. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  try {
    const { signal } = over;
    const died = once(child, 'exit', { signal }).then(([code, name]) => {
      throw new Error(`the receiving side ended (${code ?? name})`);
    });
    const late = clock.sleep(patience, signal).then(() => {
      throw new Error(`the receiving side said nothing for ${patience / 1_000} s`);
    });
    const [message] = (await Promise.race([once(child, 'message', { signal }), died, late])) as [unknown];
    return message;
  } finally {
    over.abort();
  }
}

const startReceiver = async (file: string, from: Start) => {
  // As docker/Dockerfile starts it, which says why.
  const child = fork(file, ['--receive', JSON.stringify(from)], { execArgv: ['--max-semi-space-size=8'] });
  const ready = (await answerOf(child)) as Required<Start> & { readonly bundle: string };
  return { child, ...ready };
};

async function send(): Promise<void> {
  const {
    connections,
    seconds: duration,
    json,
  } = readBenchLine({
    name: 'bench:ingest',
    summary: 'Measures what the reports of many agents cost the controller.',
    options: {
      connections: wholeNumberOption('agents', 'N', 10_000),
      seconds: wholeNumberOption('how long to measure; flatness is asked over 600', 'S', 30),
      json: jsonOption,
    },
  });
  // Beside node_modules, where esbuild is found.
  const directory = await mkdtemp(join(dirname(fileURLToPath(import.meta.url)), '../../node_modules/.bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const file = await bundled(directory);
  let receiver = await startReceiver(file, { port: 0 });
  const { port, bundle, secret } = receiver;
  try {
    const idle = await usageOf(receiver.child);
    const fleet = createFleet(connections, port, bundle);
    await fleet.open();
    await clock.sleep(milliseconds(5_000));
    const before = await usageOf(receiver.child);
    const sentBefore = fleet.sent();
    const resident: number[] = [before.rssMiB];
    const ages = createSketch();
    const begun = clock.monotonic();
    for (let left = duration * 1_000; left > 0; left = duration * 1_000 - elapsedSince(begun)) {
      await clock.sleep(milliseconds(Math.min(5_000, left)));
      const usage = await usageOf(receiver.child);
      resident.push(usage.rssMiB);
      ages.merge(usage.agesMs);
      const past = Math.round(elapsedSince(begun) / 1_000);
      say(`${past} of ${duration} s: ${usage.connections} agents, ${usage.rssMiB.toFixed(0)} MB`);
    }
    const after = await usageOf(receiver.child);
    const elapsedMs = elapsedSince(begun);
    const reports = after.accepted - before.accepted;
    const cpu = after.cpuMs - before.cpuMs;
    const line = (name: string, value: string) => process.stdout.write(`${name.padEnd(44)}${value}\n`);
    line('agents connected', String(after.connections));
    line('reports a second, sent', (((fleet.sent() - sentBefore) * 1_000) / elapsedMs).toFixed(0));
    line('reports a second, taken', ((reports * 1_000) / elapsedMs).toFixed(0));
    line('CPU a report', `${((1_000 * cpu) / reports).toFixed(1)} µs`);
    line('memory an agent', `${((1_024 * (after.rssMiB - idle.rssMiB)) / connections).toFixed(1)} KiB`);

    // The restart: killed, and there again after two seconds.
    receiver.child.kill('SIGKILL');
    await clock.sleep(milliseconds(2_000));
    receiver = await startReceiver(file, { port, secret });
    const returned = await fleet.returned();
    say(`back after ${returned.seconds.toFixed(1)} s`);
    // Ten thousand handshakes within seconds leave more behind than as many that came one by one.
    const afterRestart: number[] = [];
    for (let samples = 0; samples < 4; samples += 1) {
      await clock.sleep(milliseconds(5_000));
      afterRestart.push((await usageOf(receiver.child)).rssMiB);
    }
    say(`after the restart ${afterRestart.map((mib) => mib.toFixed(0)).join(', ')} MB`);

    const fifth = Math.max(1, Math.floor(resident.length / 5));
    const growth = median(resident.slice(-fifth)) - median(resident.slice(fifth, 2 * fifth));
    const quantile = (q: number) => (ages.quantile(q) ?? Number.NaN) / 1_000;
    const verdicts: Verdict[] = [
      { what: 'CPU of the controller, cores', value: cpu / elapsedMs, must: 0.5, excellent: 0.3 },
      { what: 'resident memory, MB', value: Math.max(...resident), must: 250, excellent: 150 },
      { what: `growth in ${duration} s, MB`, value: growth, must: 10, excellent: 3 },
      { what: 'age of the data at decision, p50, s', value: quantile(0.5), must: 2.5, excellent: 1 },
      { what: 'age of the data at decision, p99, s', value: quantile(0.99), must: 2.5, excellent: 1.5 },
      { what: 'all agents back after a restart, s', value: returned.seconds, must: 15, excellent: 10 },
      { what: 'resident memory after it, MB', value: Math.max(...afterRestart), must: 250, excellent: 150 },
    ];
    for (const verdict of verdicts) printVerdict(verdict);
    line('most connections opened in one second', String(returned.busiestSecond));
    receiver.child.kill();
    const reaction = reactionOf(join(directory, 'reaction.json'));
    keepFigures(json, { connections, duration, verdicts: [...verdicts, ...reaction], returned });
  } finally {
    receiver.child.kill();
  }
  process.exit(0);
}

/** What bench:reaction finds, which prints it as well. */
function reactionOf(file: string): readonly Verdict[] {
  say('bench:reaction …');
  const bench = fileURLToPath(new URL('reaction.ts', import.meta.url));
  execFileSync(process.execPath, [...process.execArgv, bench, '--json', file], { stdio: 'inherit' });
  return JSON.parse(readFileSync(file, 'utf8')).verdicts;
}

async function usageOf(child: ChildProcess): Promise<Usage> {
  child.send('usage');
  return (await answerOf(child)) as Usage;
}

/** Agents that report once a second, spread over the second, and come back with the agent's own back-off. */
function createFleet(count: number, port: number, ca: string) {
  const lines = reportLines();
  // Ten thousand agents read one authority each; here it is read once, for it is the other side that is measured.
  const trust = { secureContext: createSecureContext({ ca }) };
  const connected = new Set<number>();
  /** As agents do, each keeps the session it had last. */
  const sessions = new Map<number, Buffer>();
  const comings: number[] = [];
  let sent = 0;

  // Agents answer the controller within a moment. One process in the place of ten thousand does so for as many as it has come at once,
  // and not for all of them.
  const waiting = new Set<() => void>();
  const coming = new Set<number>();
  const comeNext = (): void => {
    for (const come of waiting) {
      if (coming.size >= comingAtOnce) return;
      waiting.delete(come);
      come();
    }
  };
  const settled = (number: number): void => {
    if (coming.delete(number)) setImmediate(comeNext);
  };
  const connect = (number: number, attempts: number): void => {
    waiting.add(() => {
      coming.add(number);
      come(number, attempts);
    });
    comeNext();
  };

  const come = (number: number, attempts: number): void => {
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    let answered = false;
    const socket = connectSocket({ host: '127.0.0.1', port });
    const lost = () => {
      if (over) return;
      over = true;
      clearInterval(timer);
      settled(number);
      connected.delete(number);
      socket.destroy();
      const next = answered ? 0 : attempts + 1;
      setTimeout(() => connect(number, next), reconnectDelay(attempts, Math.random()));
    };
    socket.once('error', lost).once('close', lost);
    // Where nobody listens nothing of TLS is made: ten thousand agents have machines of their own to try again and again with.
    socket.once('connect', () => {
      const session = sessions.get(number);
      const secure = connectSecurely({
        socket,
        servername: 'kubeai-controller',
        ...trust,
        ...(session && { session }),
      });
      secure.on('session', (given: Buffer) => sessions.set(number, given)).on('error', lost);
      const asked = request({
        createConnection: () => secure,
        path: reportsPath,
        headers: { connection: 'upgrade', upgrade: reportsProtocol, authorization: `Bearer ${number}` },
      });
      asked.on('upgrade', () => {
        answered = true;
        settled(number);
        connected.add(number);
        comings.push(clock.monotonic());
        secure.resume().on('close', lost);
        const write = () => {
          // Grows by a thousand a second: the number of a report is when it was written.
          secure.write(lines(number, Date.now()));
          sent += 1;
        };
        timer = setTimeout(() => {
          write();
          timer = setInterval(write, 1_000);
        }, Math.random() * 1_000);
      });
      asked.on('error', lost).end();
    });
  };

  /** Waits until so many are connected, or nobody can expect it any more. */
  const untilConnected = async (wanted: number, from: Milliseconds): Promise<void> => {
    while (connected.size < wanted) {
      if (elapsedSince(from) > patience)
        throw new Error(`only ${connected.size} of ${count} agents were connected after ${patience / 1_000} s`);
      await clock.sleep(milliseconds(10));
    }
  };

  return {
    sent: () => sent,
    /** Opens them at a pace that both sides keep up with: the first handshakes are not what is measured. */
    async open() {
      const from = clock.monotonic();
      for (let number = 0; number < count; number++) {
        connect(number, 0);
        await untilConnected(number - 50, from);
        if (number % 2_500 === 0) say(`${number} of ${count} agents are connected`);
      }
      await untilConnected(count, from);
    },
    /** Waits until all are there again; from now, when the controller listens again. */
    async returned() {
      const from = clock.monotonic();
      comings.length = 0;
      await untilConnected(count, from);
      const ofSecond = new Map<number, number>();
      for (const at of comings) {
        const second = Math.floor((at - from) / 1_000);
        ofSecond.set(second, (ofSecond.get(second) ?? 0) + 1);
      }
      return { seconds: elapsedSince(from) / 1_000, busiestSecond: Math.max(...ofSecond.values()) };
    },
  };
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

if (process.argv.includes('--receive')) await receive();
else await send();
