// `npm run bench:decide [-- --json FILE]`: what it costs a controller to take in a second's reports of every pod, merge
// their histograms, fold them into signals and decide, for many policies at once; and what each policy keeps in memory.
// V8 is told what the controller tells it. Shares are of one core of this machine: compare them with others only as ratios.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createSignalFold,
  decide,
  emptyHistory,
  type History,
  ledgerOf,
  type PodFacts,
  type SignalFold,
} from '@kubeai/decision';
import { type Policy, parsePolicy } from '@kubeai/policy';
import { parseReportLine, type Report } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import { type Instant, instant } from '@kubeai/units';
import { beginThrift } from '../../controller/thrift.ts';
import { jsonOption, keepFigures, readBenchLine } from './bench-options.ts';
import { printVerdict, type Verdict } from './verdict.ts';

beginThrift();

const podsPerPolicy = 8;
const seconds = 18;
const start = 1_700_000_000_000;

const { json } = readBenchLine({
  name: 'bench:decide',
  summary: 'Measures what it costs to decide for many policies each second.',
  options: { json: jsonOption },
});

const parsed = parsePolicy({
  apiVersion: 'kubeai.io/v1alpha1',
  kind: 'AIInferenceAutoscalerPolicy',
  metadata: { name: 'chat', namespace: 'models' },
  spec: {
    targetRef: { kind: 'Deployment', name: 'chat' },
    maxReplicas: 16,
    metrics: {
      timeToFirstToken: { targetP95Ms: 2_000 },
      latency: { targetP95Ms: 9_000 },
      concurrency: { targetPerReplica: 8 },
      requestQueueDepth: { enabled: true },
      gpuUtilization: { targetPercentage: 80 },
    },
  },
});
if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
const policy: Policy = parsed.value;

let seed = 7;
const random = () => {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed / 2_147_483_647;
};

/** The line of a pod that answers two requests a second, as it arrives. */
function lineOf(uid: string, sequence: number): string {
  const sketch = (median: number, times: number) => {
    const made = createSketch();
    for (let index = 0; index < times; index += 1) made.record(median * Math.exp(random() - 0.5));
    return made.encode();
  };
  const report: Report = {
    version: 1,
    run: uid,
    sequence,
    ageMs: 0,
    windowMs: 1_000,
    pod: { namespace: 'models', name: uid, uid },
    traffic: {
      inFlight: 6,
      waitingFirstByte: 1,
      concurrency: 4 + 4 * random(),
      started: 2,
      finished: { '2xx': 2 },
      failed: 0,
      aborted: 0,
      rejected: 0,
      promptTokens: 400,
      generatedTokens: 200,
      latencyMs: sketch(4_000, 2),
      timeToFirstByteMs: sketch(400, 2),
      timeToFirstTokenMs: sketch(500, 2),
      interTokenMs: sketch(40, 200),
      unobservedConnections: 0,
    },
    queue: { length: 1, source: 'engine' },
    engine: { name: 'vllm', ageMs: 300, waiting: 1, running: 5, kvCacheRatio: 0.5 },
    gpu: {
      source: 'dcgm',
      ageMs: 900,
      devices: [{ index: 0, utilizationPercent: 70, memoryUsedBytes: 4e10, memoryTotalBytes: 8e10 }],
      utilizationPercent: 70,
      memoryUsedBytes: 4e10,
      memoryTotalBytes: 8e10,
      marks: [],
    },
    absent: {},
  };
  return JSON.stringify(report);
}

function podsOf(index: number): PodFacts[] {
  return Array.from({ length: podsPerPolicy }, (_, pod) => ({
    name: `chat-${index}-${pod}`,
    uid: `uid-${index}-${pod}`,
    phase: 'Running' as const,
    createdAt: instant(start - 900_000),
    conditions: [
      { type: 'PodScheduled', status: 'True' as const },
      { type: 'Ready', status: 'True' as const, since: instant(start - 800_000) },
    ],
    containers: [{ name: 'model', ready: true, started: true, restarts: 0, state: 'running' as const }],
  }));
}

interface Target {
  readonly fold: SignalFold;
  history: History;
}

const targetOf = (): Target => ({
  fold: createSignalFold(policy),
  history: emptyHistory(podsPerPolicy, instant(start)),
});

function decideOne(target: Target, pods: readonly PodFacts[], now: Instant): void {
  const folded = target.fold.fold(pods, now);
  const ledger = ledgerOf(podsPerPolicy, pods, target.history, now);
  target.history = decide(policy, { replicas: podsPerPolicy, ledger, ...folded }, target.history, now).history;
}

/** Milliseconds of CPU a second, of so many policies: taking in eight reports each, folding, deciding. */
function costOf(policies: number): number {
  const targets = Array.from({ length: policies }, targetOf);
  const pods = Array.from({ length: policies }, (_, index) => podsOf(index));
  // A few hundred different reports stand for all; parsing them is the listener's cost and measured there.
  const samples = Array.from({ length: 256 }, (_, index) => read(lineOf(`sample-${index}`, index)));
  const reports = pods.map((own) =>
    own.map(
      ({ name, uid }, pod): Report => ({
        ...samples[(pod * 31 + name.length * 17) % samples.length]!,
        pod: { namespace: 'models', name, uid },
      }),
    ),
  );
  const costs: number[] = [];
  for (let second = 1; second <= seconds; second += 1) {
    const now = instant(start + 1_000 * second);
    const before = process.cpuUsage();
    for (const [index, target] of targets.entries()) {
      for (const report of reports[index]!) target.fold.accept(report, now);
      decideOne(target, pods[index]!, now);
    }
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / 1_000);
  }
  // The first seconds are the compiler's. Of the others the mean, for old garbage is collected in some of them only.
  const settled = costs.slice(Math.floor(seconds / 3));
  return settled.reduce((total, cost) => total + cost, 0) / settled.length;
}

function read(line: string): Report {
  const report = parseReportLine(line);
  if (!report.ok) throw new Error(JSON.stringify(report.problems));
  return report.value;
}

/** Of the heap, and outside it where buffers lie. */
function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that each policy keeps once its windows are full, every report parsed from a line of its own. */
function memoryOf(policies: number): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const pods = Array.from({ length: policies }, (_, index) => podsOf(index));
  const lines = Array.from({ length: 64 }, (_, index) => lineOf(`u-${index}`, index));
  collect();
  const before = usedBytes();
  const targets = Array.from({ length: policies }, targetOf);
  for (let second = 1; second <= 20; second += 1) {
    const now = instant(start + 1_000 * second);
    for (const [index, target] of targets.entries()) {
      for (const { uid, name } of pods[index]!) {
        const report = read(lines[(index + second) % lines.length]!);
        target.fold.accept({ ...report, pod: { namespace: 'models', name, uid } }, now);
      }
      decideOne(target, pods[index]!, now);
    }
  }
  collect();
  const bytes = usedBytes() - before;
  // Asked once more, so that they outlive the measurement.
  for (const [index, target] of targets.entries()) decideOne(target, pods[index]!, instant(start + 21_000));
  return bytes / policies;
}

const bytesPerPolicy = memoryOf(1_000);
const results = [5_000, 20_000].map((policies) => ({
  policies,
  pods: policies * podsPerPolicy,
  cpuMsPerSecond: costOf(policies),
}));
console.log(`memory per policy: ${(bytesPerPolicy / 1_024).toFixed(1)} KiB`);
const verdicts: Verdict[] = results.map(({ policies, cpuMsPerSecond }) => ({
  what: `${policies} policies, % of a core`,
  value: cpuMsPerSecond / 10,
  // Asked of 5,000 policies; excellent is 20,000 at the same cost.
  must: (15 * policies) / 5_000,
  excellent: (15 * policies) / 20_000,
}));
for (const verdict of verdicts) printVerdict(verdict);
keepFigures(json, {
  bench: 'decide',
  verdicts,
  results,
  bytesPerPolicy: Math.round(bytesPerPolicy),
  node: process.version,
});
