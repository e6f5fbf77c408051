// The nodes whose GPUs replicas are placed on. Some stand ready; for more, a node must be asked for, which takes its time,
// holds one replica, and is given back when it has been empty for a while, as cluster autoscalers do.

export interface NodesOptions {
  /** Replicas that find GPUs at once. */
  readonly standing: number;
  /** From a replica without GPUs to its node, on average; single ones take 0.8 to 1.3 of it. */
  readonly arrivalMs: number;
}

/** What cluster-autoscaler waits before it takes an unneeded node away. */
const emptyForMs = 600_000;

export interface Nodes {
  /** Replicas that have or find GPUs now. */
  room(): number;
  /** Nodes that came and hold no replica: they cost until they go. */
  empty(): number;
  /** Brings the nodes up to `now`: those asked for arrive, those empty for long go, and more are asked for where replicas wait. */
  follow(waiting: number, placed: number, now: number): void;
}

/**
 * @param most  replicas for which there are GPUs at all
 * @param placed  replicas that run from the start
 * @param spread  what a span takes that takes so long on average
 */
export function createNodes(
  { standing, arrivalMs }: NodesOptions,
  most: number,
  placed: number,
  spread: (meanMs: number) => number,
): Nodes {
  let brought = Math.max(0, placed - standing);
  let coming: number[] = [];
  /** Since when each empty node that came is empty, longest first. */
  const emptySince: number[] = [];
  const room = () => Math.min(most, standing + brought);
  return {
    room,
    empty: () => emptySince.length,
    follow(waiting, placedNow, now) {
      const arrived = coming.filter((at) => at <= now).length;
      coming = coming.filter((at) => at > now);
      brought += arrived;
      const free = Math.max(0, room() - placedNow - waiting);
      const empty = Math.min(brought, free);
      while (emptySince.length < empty) emptySince.push(now);
      // A replica takes the node that was emptied last, so that the others may go.
      emptySince.length = empty;
      while (emptySince.length > 0 && now - emptySince[0]! >= emptyForMs) {
        emptySince.shift();
        brought -= 1;
      }
      const lacking = Math.min(most, placedNow + waiting) - room() - coming.length;
      for (let index = 0; index < lacking; index += 1) coming.push(now + spread(arrivalMs));
    },
  };
}
