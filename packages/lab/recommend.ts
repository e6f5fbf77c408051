// A policy from traffic: the knobs of `preset: interactive` that matter are tried one after another, each where the best of
// those before it stand, and the whole policy, as it will be written down, is played once more. What it may be expected to
// keep and to cost is what that last run kept and cost.
import { type Policy, parsePolicy } from '@kubeai/policy';
import { stringify } from 'yaml';
import { tuned } from './compare.ts';
import { ours } from './ours.ts';
import { cutText, playedText } from './report.ts';
import { fixed } from './rivals.ts';
import { type Score, scoreOf } from './score.ts';
import { searched } from './search.ts';
import { type Setting, worldOf } from './setting.ts';
import { simulate } from './simulation.ts';
import { countOfLongest } from './workload.ts';
import type { World } from './world.ts';

export interface Knobs {
  /** Percent of what a replica was seen to carry. */
  readonly work: number;
  /** Before replicas are given back. */
  readonly windowSeconds: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

export interface Trial {
  readonly knobs: Knobs;
  readonly score: Score;
}

export interface Recommendation {
  readonly policy: object;
  /** The policy, played as it stands. */
  readonly expected: Trial;
  /** In the order in which they were tried. */
  readonly tried: readonly Trial[];
  /** The smallest fleet of one size that keeps the goal, where one does. */
  readonly fixed: FixedFleet | undefined;
}

interface FixedFleet {
  readonly size: number;
  readonly score: Score;
}

const targets = [95, 100, 85, 70, 55, 40];
const windows = [120, 60, 300, 600];
/** Shares of the time for which the fleet was smaller than a floor that is worth trying. */
const floorShares = [0.25, 0.5];
/** A knob that was turned may give another one a better place: twice round finds it, and more has never been needed. */
const rounds = 2;
/** Costs within a percent are the same. */
const same = 1.01;
/** How far from the preset's own values. */
const strangeness = ({ work, windowSeconds }: Knobs): number => targets.indexOf(work) + windows.indexOf(windowSeconds);
/** Less than this has not seen traffic change. */
const enoughHours = 3;
const enoughRequests = 1_000;
/** Half as much again as was ever needed: tomorrow is not like the trace. */
const reserve = 1.5;

/**
 * @param goal  the share of requests that must be within the promise
 * @param target  name of the Deployment that the policy is for
 */
export function recommend(
  setting: Setting,
  goal: number,
  target: string,
  progress?: (who: string, share: number) => void,
): Recommendation {
  const { world } = worldOf(setting);
  const { workload, promise, hardware } = setting;
  const tried: (Trial & { readonly floors: readonly number[] })[] = [];
  const fleet = fixedFleet(setting, world, goal);
  /** Where bursts are faster than a start, what already stands is all that helps. */
  const fixedFloors = fleet === undefined ? [] : [fleet.size, Math.ceil((2 / 3) * fleet.size)];
  const most = rounds * (targets.length + windows.length + floorShares.length + fixedFloors.length);
  const play = (knobs: Knobs) => {
    const outcome = simulate(workload, world, ours('recommended', policyOf(specOf(knobs))), (share) =>
      progress?.(textOf(knobs), Math.min(1, (tried.length + share) / most)),
    );
    const asked = outcome.minutes.map((minute) => minute.asked).sort((left, right) => left - right);
    const floors = floorShares.map((share) => asked[Math.floor(share * asked.length)] ?? 1);
    const trial = { knobs, score: scoreOf(workload, outcome, promise, hardware.tensorParallel), floors };
    tried.push(trial);
    return trial;
  };
  /** The cheapest that keeps the goal; of those that cost the same, the one that misses least, and then the preset's own values. */
  const best = () => {
    const { attainment, gpuHours } = tuned(
      tried.map((trial) => trial.score),
      goal,
    );
    const kept = Math.min(goal, attainment);
    return tried
      .filter(({ score }) => score.attainment >= kept && score.gpuHours <= same * gpuHours)
      .reduce((least, trial) =>
        (trial.score.misses - least.score.misses || strangeness(trial.knobs) - strangeness(least.knobs)) < 0
          ? trial
          : least,
      );
  };
  const specOf = ({ work, windowSeconds, minReplicas, maxReplicas }: Knobs) => ({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: target },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target },
      minReplicas,
      maxReplicas,
      preset: 'interactive',
      metrics: {
        timeToFirstToken: { targetP95Ms: promise.firstTokenMs },
        interTokenLatency: { targetP95Ms: promise.perTokenMs },
        work: { targetUtilization: work },
      },
      cooldownPeriod: windowSeconds,
      scaleDown: { stabilizationWindowSeconds: windowSeconds },
    },
  });

  play({ work: targets[0]!, windowSeconds: windows[0]!, minReplicas: 1, maxReplicas: setting.maxReplicas });
  const turn = (changes: readonly Partial<Knobs>[]): void => {
    const { knobs } = best();
    for (const change of changes) {
      const next = { ...knobs, ...change };
      if (tried.every((trial) => textOf(trial.knobs) !== textOf(next))) play(next);
    }
  };
  for (let round = 0; round < rounds; round += 1) {
    turn(targets.map((work) => ({ work })));
    turn(windows.map((windowSeconds) => ({ windowSeconds })));
    turn([...best().floors, ...fixedFloors].map((minReplicas) => ({ minReplicas })));
  }
  const { knobs, score } = best();
  const bounded = {
    ...knobs,
    maxReplicas: Math.min(setting.maxReplicas, Math.max(knobs.minReplicas, Math.ceil(reserve * score.maxReplicas))),
  };
  const tries = [...tried];
  return { policy: specOf(bounded), expected: play(bounded), tried: tries, fixed: fleet };
}

function fixedFleet(setting: Setting, world: World, goal: number): FixedFleet | undefined {
  const { workload, promise, hardware, maxReplicas } = setting;
  const played = searched(
    maxReplicas,
    (index) => {
      const size = maxReplicas - index;
      return {
        size,
        score: scoreOf(workload, simulate(workload, world, fixed(size)), promise, hardware.tensorParallel),
      };
    },
    [({ attainment }) => attainment >= goal],
  );
  return [...played.values()]
    .filter(({ score }) => score.attainment >= goal)
    .reduce<FixedFleet | undefined>(
      (least, each) => (least === undefined || each.size < least.size ? each : least),
      undefined,
    );
}

function policyOf(spec: object): Policy {
  const parsed = parsePolicy(spec);
  if (!parsed.ok) throw new Error(parsed.problems.map(({ field, message }) => `${field} ${message}`).join('; '));
  return parsed.value;
}

export const textOf = ({ work, windowSeconds, minReplicas }: Knobs): string =>
  `work ${work} %, window ${windowSeconds} s, at least ${minReplicas}`;

/** The recommendation as a file for `kubectl apply`, which says what was tried and what may be expected. */
export function yamlOf(
  { policy, expected, tried, fixed: fleet }: Recommendation,
  { workload, startUpMs, warmUpMs, seed, promise }: Setting,
  goal: number,
): string {
  const { score } = expected;
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  const seconds = (milliseconds: number) => `${milliseconds / 1_000} s`;
  const hours = workload.spanMs / 3_600_000;
  const cut = countOfLongest(workload);
  const lines = [
    `Played against ${playedText(workload.name, workload.at.length, hours)}, starts of ${seconds(startUpMs)}, seed ${seed}${warmUpMs > 0 ? `, judged after ${seconds(warmUpMs)}` : ''}.`,
    ...(cut > 0 ? [`${cutText(cut)}.`] : []),
    `Expected on such traffic: ${percent(score.attainment)} of the requests get their first token within ${seconds(promise.firstTokenMs)} and each further`,
    `one within ${seconds(promise.perTokenMs)} on average, for ${score.gpuHours.toFixed(1)} GPU-hours: ${score.meanReplicas.toFixed(2)} replicas on average, ${score.maxReplicas} at most.`,
    ...(hours < enoughHours || workload.at.length < enoughRequests
      ? [`So short a trace tells little of other hours: play a day of traffic before you trust in it.`]
      : []),
    ...(score.attainment < goal
      ? [`Nothing that was tried kept ${percent(goal)}: replicas must start faster, or a promise be given up.`]
      : []),
    ...(fleet === undefined
      ? []
      : [
          `A fixed fleet of ${fleet.size}, which is told what comes, would keep ${percent(fleet.score.attainment)} for ${fleet.score.gpuHours.toFixed(1)} GPU-hours.`,
        ]),
    '',
    'Tried:',
    ...tried.map(
      ({ knobs, score: { attainment, gpuHours } }) =>
        `  ${textOf(knobs)}: ${percent(attainment)} for ${gpuHours.toFixed(1)} h`,
    ),
  ];
  return `${lines.map((line) => `# ${line}`.trimEnd()).join('\n')}\n${stringify(policy)}`;
}
