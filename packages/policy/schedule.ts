// Which bounds hold now. Cron with time zones is croner's work (it knows the days on which a clock jumps); it is asked
// with an explicit instant, so this stays a function of its arguments.
import { after, before, type Instant, instant } from '@kubeai/units';
import { Cron } from 'croner';
import type { Policy, ScheduleEntry } from './policy.ts';

export interface Bounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Names of the schedule entries that hold now. */
  readonly entries: readonly string[];
}

/** What is known of one entry: whether it holds, for every instant in [from, until). */
interface Stretch {
  readonly holds: boolean;
  readonly from: Instant;
  readonly until: Instant;
}

// One answer of croner takes about 100 µs, and a tick asks for every policy: an answer is kept for as long as it is true.
const known = new WeakMap<ScheduleEntry, Stretch>();

/** The bounds at `now`: highest minimum and lowest maximum of the entries that hold, the maximum winning where they cross. */
export function boundsAt(policy: Policy, now: Instant): Bounds {
  const { schedule, minReplicas, maxReplicas } = policy;
  const holding = schedule.length === 0 ? schedule : schedule.filter((entry) => stretchAt(entry, now).holds);
  if (holding.length === 0) return { minReplicas, maxReplicas, entries: [] };
  const least = holding.flatMap((entry) => entry.minReplicas ?? []);
  const most = holding.flatMap((entry) => entry.maxReplicas ?? []);
  const highest = most.length === 0 ? maxReplicas : Math.min(...most);
  const lowest = Math.min(highest, least.length === 0 ? minReplicas : Math.max(...least));
  return { minReplicas: lowest, maxReplicas: highest, entries: holding.map(({ name }) => name) };
}

function stretchAt(entry: ScheduleEntry, now: Instant): Stretch {
  const last = known.get(entry);
  if (last !== undefined && now >= last.from && now < last.until) return last;
  const stretch = findStretch(entry, now);
  known.set(entry, stretch);
  return stretch;
}

/** A firing inside the last `duration` means that the entry holds; else it does not until the next firing. */
function findStretch(entry: ScheduleEntry, now: Instant): Stretch {
  const cron = new Cron(entry.cron, { timezone: entry.timeZone, paused: true });
  const next = cron.nextRun(new Date(before(now, entry.duration)));
  if (next === null) return { holds: false, from: now, until: instant(Number.POSITIVE_INFINITY) };
  const start = instant(next.getTime());
  return start <= now
    ? { holds: true, from: start, until: after(start, entry.duration) }
    : { holds: false, from: now, until: start };
}
