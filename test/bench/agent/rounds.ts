// Rounds of one scenario, each with all proxies in random order: what counts are ratios of neighbours in a round.
import type { ChildProcess } from 'node:child_process';
import { median } from '../verdict.ts';
import { loadOn, type Outcome, type Work } from './load-process.ts';
import { cpuOf, otherCore, pin, proxyCore, residentOf } from './processes.ts';
import type { Contestant } from './proxies.ts';

export interface Scenario {
  readonly name: string;
  readonly work: Omit<Work, 'port' | 'milliseconds'>;
  /** All on one core, so that latency is the sum of everybody's CPU. */
  readonly oneCore: boolean;
}

export interface Measured extends Outcome {
  readonly cpuUsPerRequest: number;
  readonly residentMb: number;
}
export type Round = ReadonlyMap<string, Measured>;

export async function measure(
  scenario: Scenario,
  proxies: readonly Contestant[],
  rounds: number,
  seconds: number,
  load: ChildProcess,
  upstream: ChildProcess,
): Promise<Round[]> {
  pin([load.pid!, upstream.pid!], scenario.oneCore ? proxyCore : otherCore);
  const run = (work: Work): Promise<Outcome> => loadOn(load, work);
  for (const { port } of proxies) await run({ ...scenario.work, port, milliseconds: 500 });
  const all: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const measured = new Map<string, Measured>();
    for (const { name, port, pids } of shuffled(proxies)) {
      const before = cpuOf(pids());
      const outcome = await run({ ...scenario.work, port, milliseconds: seconds * 1_000 });
      const cpu = cpuOf(pids()) - before;
      measured.set(name, {
        ...outcome,
        cpuUsPerRequest: cpu / 1_000 / Math.max(1, outcome.requests),
        residentMb: residentOf(pids()),
      });
    }
    all.push(measured);
  }
  return all;
}

/** Median over rounds of what one proxy's figure is to another's in the same round. */
export function ratio(
  rounds: readonly Round[],
  name: string,
  to: string,
  figure: (measured: Measured, direct: Measured) => number,
): number {
  return median(
    rounds.flatMap((round) => {
      const [one, other, direct] = [round.get(name), round.get(to), round.get('direct')];
      if (one === undefined || other === undefined || direct === undefined) return [];
      return [figure(one, direct) / figure(other, direct)];
    }),
  );
}

/** Microseconds of CPU a request. */
export const cpu = (measured: Measured): number => measured.cpuUsPerRequest;
/** Microseconds that a proxy adds to the median. */
export const added = (measured: Measured, direct: Measured): number => Math.max(1, measured.p50Us - direct.p50Us);

export function shuffled<Item>(items: readonly Item[]): Item[] {
  const copy = [...items];
  for (let at = copy.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1));
    [copy[at], copy[other]] = [copy[other]!, copy[at]!];
  }
  return copy;
}
