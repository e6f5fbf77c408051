// Is the lab to be believed? The traffic of a demonstration (`npm run demo -- --headless --json demo.json`: real processes, real
// time) is played again on the virtual clock, some times by other chances, with the same policy and the starts that the
// demonstration took, and both are laid side by side. Exits 1 where they are further apart than is asked.
//
// npm run validate:lab -- --demo FILE [--trace FILE] [--policy FILE]
import { readFile } from 'node:fs/promises';
import { exitWith, onOutputLost, readCommandLine } from '@kubeai/daemon';
import type { FieldProblem, Result } from '@kubeai/units';
import { z } from 'zod';
import { ours } from '../ours.ts';
import { readPolicy } from '../read-policy.ts';
import { readWorkload } from '../read-workload.ts';
import { engineLimitsOf, stepTimesOf } from '../replica.ts';
import { scoreOf } from '../score.ts';
import { simulate } from '../simulation.ts';
import { agreementOf, areaOf, middleOf, type SizeAt, sizesOf, startsOf } from './agreement.ts';
import { setting } from './setting.ts';

const line = {
  name: 'validate:lab',
  summary: 'Sets the lab beside a demonstration: first tokens and sizes over time.',
  options: {
    demo: { value: 'FILE', describe: 'what `npm run demo -- --headless --json FILE` wrote', schema: z.string() },
    trace: {
      value: 'FILE',
      describe: 'what the demonstration replayed',
      schema: z.string().default('examples/traces/sample-chat.csv'),
      fallback: 'examples/traces/sample-chat.csv',
    },
    policy: {
      value: 'FILE',
      describe: 'its policy',
      schema: z.string().default('examples/quickstart/policy.yaml'),
      fallback: 'examples/quickstart/policy.yaml',
    },
  },
};

/** Seeds of the plays. */
const chances = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const quantiles = z.object({ p50: z.number(), p95: z.number(), p99: z.number() });
const demoSchema = z.object({
  requests: z.number().int().positive(),
  ttftMs: quantiles,
  scaleEvents: z.array(z.object({ atMs: z.number(), from: z.number(), to: z.number() })).min(1),
  readyEvents: z.array(z.object({ atMs: z.number(), ready: z.number() })).min(1),
});

onOutputLost(process, line.name);
const options = readCommandLine(line, process);
const demo = await readDemo(options.demo);
if (!demo.ok) exitWith(process, line.name, demo.problems);
const policy = await readPolicy(options.policy);
if (!policy.ok) exitWith(process, line.name, policy.problems);
const read = await readWorkload(options.trace, { seed: 1, thin: 1, speed: 1, copies: 1, fromSecond: 0 });
if (!read.ok) exitWith(process, line.name, read.problems);

const { scaleEvents, readyEvents, ttftMs } = demo.value;
const initial = scaleEvents[0]!.from;
// examples/quickstart runs the replicas of the bench, behind a Service of the local cluster, which takes its endpoints in turn.
const { hardware, times, maxBatch, promise, nodes, wire } = setting;
const limits = engineLimitsOf(hardware, maxBatch);
const startsMs = startsOf(scaleEvents, readyEvents, initial);
// The controller of a demonstration has seen its target idle before the load begins: it does not start from nothing.
const idleMs = 5_000;
const workload = {
  ...read.value.workload,
  at: read.value.workload.at.map((at) => at + idleMs),
  spanMs: read.value.workload.spanMs + idleMs + 60_000,
};
const end = workload.spanMs - idleMs;
const plays = chances.map((seed) => {
  const outcome = simulate(
    workload,
    {
      times: stepTimesOf(times, limits),
      limits,
      startUpMs: startsMs.reduce((sum, each) => sum + each, 0) / startsMs.length,
      startsMs,
      minReplicas: 1,
      maxReplicas: policy.value.maxReplicas,
      nodes,
      wire,
      initialReplicas: initial,
      balancer: 'roundRobin',
      patienceMs: 300_000,
      warmUpMs: 0,
      seed,
      incidents: [],
    },
    ours('demonstration', policy.value),
  );
  const score = scoreOf(workload, outcome, promise, hardware.tensorParallel);
  const changes = outcome.moments.map(({ at, from, to }) => ({ atMs: at - idleMs, from, to }));
  return { ...score, sizes: sizesOf(changes, initial) };
});
const real: readonly SizeAt[] = sizesOf(scaleEvents, initial);
const agreement = agreementOf({ firstTokenP95Ms: ttftMs.p95, sizes: real }, plays, end);
const score = middleOf(plays, (play) => play.firstTokenP95Ms);
const simulated = score.sizes;
const text = (sizes: readonly SizeAt[]) =>
  sizes.map(({ atMs, size }) => `${(atMs / 1_000).toFixed(0)} s ${size}`).join(', ');
const ms = (value: number) => `${value.toFixed(0)} ms`;
process.stdout.write(
  [
    `${demo.value.requests} requests; starts took ${startsMs.map((each) => (each / 1_000).toFixed(1)).join(', ')} s`,
    '',
    '| | demonstration | lab, middle play |',
    '|---|---:|---:|',
    `| first token p50 | ${ms(ttftMs.p50)} | ${ms(score.firstTokenP50Ms)} |`,
    `| first token p95 | ${ms(ttftMs.p95)} | ${ms(score.firstTokenP95Ms)} |`,
    `| first token p99 | ${ms(ttftMs.p99)} | ${ms(score.firstTokenP99Ms)} |`,
    `| replica-seconds asked for | ${areaOf(real, end).toFixed(0)} | ${areaOf(simulated, end).toFixed(0)} |`,
    `| sizes | ${text(real)} | ${text(simulated)} |`,
    '',
    ...agreement.map(
      ({ what, value, asked, holds }) => `${what}: ${value} (asked: ${asked}) ${holds ? 'holds' : 'MISSED'}`,
    ),
    '',
  ].join('\n'),
);
process.exitCode = agreement.every(({ holds }) => holds) ? 0 : 1;

async function readDemo(path: string): Promise<Result<z.infer<typeof demoSchema>, FieldProblem>> {
  try {
    const parsed = demoSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (parsed.success) return { ok: true, value: parsed.data };
    const issue = parsed.error.issues[0]!;
    return { ok: false, problems: [{ field: `${path}: ${issue.path.join('.')}`, message: issue.message }] };
  } catch (cause) {
    return { ok: false, problems: [{ field: path, message: `cannot be read: ${(cause as Error).message}` }] };
  }
}
