// One trace, all contenders, the whole of each grid: what `npm run lab` and `npm run bench:lab` are both made of.
import type { Policy } from '@kubeai/policy';
import { tuned } from './compare.ts';
import type { Contender } from './contender.ts';
import { type Arena, gridOf, policyGrid, type RivalName } from './contenders.ts';
import { ours } from './ours.ts';
import { type Score, scoreOf } from './score.ts';
import { type Question, searched } from './search.ts';
import { peakOf, type Setting, worldOf } from './setting.ts';
import { type Outcome, simulate } from './simulation.ts';
import { countOfLongest } from './workload.ts';

export interface StudyOptions extends Setting {
  readonly policies: readonly { readonly name: string; readonly policy: Policy }[];
  readonly rivals: readonly RivalName[];
  /** Also tries other targets of the policies, for their Pareto curves. */
  readonly curves: boolean;
  /** Plays of a rival's grid only what must be known to tune it and to set it beside the first policy: for very long traces. */
  readonly isSearching: boolean;
  /** Shares of kept promises for which a search finds the cheapest value: 0.99 unless said. */
  readonly shares?: readonly number[];
}

/** A contender: every value that was tried, and the one in force. */
export interface Standing {
  readonly name: string;
  readonly scores: readonly Score[];
  readonly chosen: Score;
}

/** How the day went with the value in force; what single requests met is in the score alone. */
export interface Result extends Standing {
  readonly course: Course;
}

type Course = Pick<Outcome, 'moments' | 'minutes'>;

export interface Study {
  readonly trace: string;
  readonly requests: number;
  /** Requests that were cut to what a server takes. */
  readonly cut: number;
  readonly spanMs: number;
  readonly startUpMs: number;
  readonly results: readonly Result[];
}

/** Plays everybody. `progress` is told who plays and the share of the whole that is done. */
export function study(options: StudyOptions, progress?: (who: string, share: number) => void): Study {
  const { workload, hardware } = options;
  const { world, work } = worldOf(options);
  const arena: Arena = {
    workload,
    times: world.times,
    limits: world.limits,
    meanWork: work.reduce((sum, each) => sum + each, 0) / work.length,
    peakWork: peakOf(work),
    // Who knows everything knows that a node may have to come first.
    startUpMs: options.startUpMs + (options.nodes.standing < options.maxReplicas ? options.nodes.arrivalMs : 0),
    maxReplicas: options.maxReplicas,
  };
  const groups = [
    ...options.policies.map(({ name, policy }) => ({
      name,
      isOurs: true,
      contenders: options.curves ? policyGrid(name, policy) : [ours(name, policy)],
    })),
    ...options.rivals.map((name) => ({ name: name as string, isOurs: false, contenders: gridOf(name, arena) })),
  ];
  const total = groups.reduce((sum, { contenders }) => sum + contenders.length, 0);
  let done = 0;
  // A search plays less than the whole, and its progress ends early.
  const play = (contender: Contender): { readonly score: Score; readonly course: Course } => {
    const outcome = simulate(workload, world, contender, (share) =>
      progress?.(nameOf(contender), (done + share) / total),
    );
    done += 1;
    progress?.(nameOf(contender), done / total);
    const { moments, minutes } = outcome;
    return {
      course: { moments, minutes },
      score: scoreOf(workload, outcome, options.promise, hardware.tensorParallel),
    };
  };
  const results: Result[] = [];
  for (const { name, isOurs, contenders } of groups) {
    const first = results[0]?.chosen;
    const played =
      isOurs || first === undefined || !options.isSearching
        ? contenders.map(play)
        : [
            ...searched(
              contenders.length,
              (index) => play(contenders[index]!),
              questionsOf(name, first, options.shares),
            ).values(),
          ];
    const scores = played.map(({ score }) => score);
    // Ours is what the user wrote, whatever would have been better; rivals are tuned.
    const chosen = isOurs ? scores[0]! : tuned(scores);
    results.push({ name, scores, chosen, course: played.find(({ score }) => score === chosen)!.course });
  }
  return {
    trace: workload.name,
    requests: workload.at.length,
    cut: countOfLongest(workload),
    spanMs: workload.spanMs,
    startUpMs: options.startUpMs,
    results,
  };
}

/** What has to be known of a rival: its tuned value, what it misses at our cost, and for HPA and the bound what our misses cost them. */
function questionsOf(rival: string, first: Score, shares: readonly number[] = [0.99]): readonly Question[] {
  const keepsEnough = shares.map(
    (share): Question =>
      ({ attainment }) =>
        attainment >= share,
  );
  const keepsAsMuch: Question = ({ misses }) => misses <= first.misses;
  const costsMore: Question = ({ gpuHours }) => gpuHours > first.gpuHours;
  if (rival.startsWith('hpa')) return [...keepsEnough, costsMore, keepsAsMuch];
  if (rival === 'clairvoyant') return [...keepsEnough, keepsAsMuch];
  return [...keepsEnough, costsMore];
}

const nameOf = ({ name, value }: Contender): string => (Number.isNaN(value) ? name : `${name} ${value}`);
