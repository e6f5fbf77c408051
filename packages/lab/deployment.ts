// The target's Deployment on the virtual clock: as many pods as are asked for find their place on GPUs, take their time to
// start, leave only when their last answer has gone, and are replaced one after another in a rollout.
import assert from 'node:assert';
import { type AgentProbe, createAgentProbe } from './agent-probe.ts';
import { createNodes } from './nodes.ts';
import { createRandom, type Random } from './random.ts';
import { createFleet, createReplica, type Fleet, type Replica, type RequestBook } from './replica.ts';
import { isHappening, tickMs, type World } from './world.ts';

export interface Pod {
  readonly uid: string;
  /** Its place in the fleet's columns. */
  readonly place: number;
  readonly createdAt: number;
  /** When it got its GPUs. */
  readonly placedAt: number | undefined;
  /** When it became ready, or will; infinite while it has no GPUs. */
  readonly readyAt: number;
  readonly deletedAt: number | undefined;
  readonly isReady: boolean;
  readonly engine: Replica;
  /** The agent beside it, where anybody listens. */
  readonly probe: AgentProbe | undefined;
}

/** Ready and not deleted: a load balancer sends it requests. */
export const takesRequests = ({ isReady, deletedAt }: Pod): boolean => isReady && deletedAt === undefined;

export interface Deployment {
  /** All pods that there are, deleted ones until they are empty. */
  readonly pods: readonly Pod[];
  readonly fleet: Fleet;
  /** When each agent next reports, in a column like those of the fleet. */
  readonly reportsAt: Float64Array;
  /** Those that take requests, their places, and the places of all pods; as of the last `refresh`. */
  open(): readonly Pod[];
  openPlaces(): Int32Array;
  places(): Int32Array;
  refresh(): void;
  /** Replicas that are asked for. */
  size(): number;
  /** Asks for another size: pods are made, and placed where there are GPUs, or deleted. */
  scale(size: number, now: number): void;
  /** What happens to pods until `now`: emptied ones go, and are answered; waiting ones are placed, started ones ready. */
  advance(now: number): readonly Pod[];
  /** Brings the number of pods to what is asked for, and a rollout one pod on. */
  reconcile(now: number): void;
  /** Pods that got GPUs since judging began. */
  starts(): number;
  /** From a pod's place on its GPUs to its end, or `until`, summed from when judging began; and nodes that came for one and are empty. */
  replicaSeconds(until: number): number;
}

type Lifecycle = { -readonly [Key in keyof Pod]: Pod[Key] } & { isOutdated: boolean };

/** A Deployment of the world's initial replicas, which serve. `hasAgents`: a probe beside each pod writes reports. */
export function createDeployment(world: World, book: RequestBook, hasAgents: boolean): Deployment {
  const { startUpMs, startsMs, maxReplicas, initialReplicas, incidents, seed, warmUpMs } = world;
  const random = createRandom(seed);
  // Chance of their own, so that the same starts are drawn whoever looks and however reports travel.
  const nodeRandom = createRandom(seed + 2);
  const phaseRandom = createRandom(seed + 3);
  const nodes = createNodes(world.nodes, maxReplicas, initialReplicas, (mean) => startUp(mean, nodeRandom));
  const hasRollouts = incidents.some(({ kind }) => kind === 'rollout');
  const pods: Lifecycle[] = [];
  let size = initialReplicas;
  let made = 0;
  let begun = 0;
  let starts = 0;
  let replicaMs = 0;

  // Placed pods are as many as find GPUs; those that wait for them, or were deleted while waiting, as many again each.
  const fleet = createFleet(3 * maxReplicas + 3);
  const places = fleet.load.length;
  const reportsAt = new Float64Array(places).fill(Number.POSITIVE_INFINITY);
  const freePlaces = Array.from({ length: places }, (_, index) => places - 1 - index);
  /** They are looked through at every arrival, and change at ticks only. */
  let isStale = true;
  let open: Pod[] = [];
  let openPlaces = new Int32Array(0);
  let takenPlaces = new Int32Array(0);

  const create = (now: number, running: boolean): void => {
    made += 1;
    isStale = true;
    const uid = `pod-${made}`;
    const probe = hasAgents ? createAgentProbe(uid, book, now, tickMs * phaseRandom.uniform()) : undefined;
    const place = freePlaces.pop();
    assert(place !== undefined, 'a fleet has places for all that may exist at once');
    if (probe !== undefined) reportsAt[place] = probe.dueAt;
    pods.push({
      uid,
      place,
      createdAt: running ? now - 2 * startUpMs : now,
      placedAt: running ? now : undefined,
      readyAt: running ? now - startUpMs : Number.POSITIVE_INFINITY,
      deletedAt: undefined,
      isReady: running,
      engine: createReplica(world.times, world.limits, book, fleet, place, probe),
      probe,
      isOutdated: false,
    });
  };
  for (let index = 0; index < size; index += 1) create(0, true);

  const live = (): Lifecycle[] => pods.filter(({ deletedAt }) => deletedAt === undefined);

  /** The order Kubernetes deletes in: not placed, not ready, then the youngest. */
  const remove = (howMany: number, now: number, among: readonly Lifecycle[]): void => {
    const order = [...among].sort(
      (left, right) =>
        Number(left.placedAt !== undefined) - Number(right.placedAt !== undefined) ||
        Number(left.isReady) - Number(right.isReady) ||
        right.createdAt - left.createdAt,
    );
    for (const pod of order.slice(0, howMany)) pod.deletedAt = now;
    isStale = true;
  };

  const match = (now: number): void => {
    let there = 0;
    for (const { deletedAt } of pods) if (deletedAt === undefined) there += 1;
    if (there === size) return;
    for (let index = there; index < size; index += 1) create(now, false);
    const surge = live().some(({ isOutdated }) => isOutdated) ? 1 : 0;
    if (there > size + surge) remove(there - size - surge, now, live());
  };

  const nextStart = (): number => {
    begun += 1;
    return startsMs?.[Math.min(begun, startsMs.length) - 1] ?? startUp(startUpMs, random);
  };

  /** Pods that wait for GPUs get them, where there are any. */
  const place = (now: number): void => {
    if (isHappening(world, 'noFreeGpus', now)) return;
    let placed = 0;
    let waiting = 0;
    for (const { placedAt, deletedAt } of pods) {
      if (placedAt !== undefined) placed += 1;
      else if (deletedAt === undefined) waiting += 1;
    }
    nodes.follow(waiting, placed, now);
    if (waiting === 0) return;
    for (const pod of pods) {
      if (pod.placedAt !== undefined || pod.deletedAt !== undefined || placed >= nodes.room()) continue;
      pod.placedAt = now;
      pod.readyAt = now + nextStart();
      placed += 1;
      if (now >= warmUpMs) starts += 1;
    }
  };

  /** One pod more at a time; an old one goes when its successor serves. */
  const rollOut = (now: number): void => {
    if (!hasRollouts) return;
    for (const { kind, from } of incidents) {
      if (kind === 'rollout' && now >= from && now < from + tickMs) for (const pod of pods) pod.isOutdated = true;
    }
    const outdated = live().filter(({ isOutdated }) => isOutdated);
    if (outdated.length === 0) return;
    const all = live();
    if (all.length > size) {
      if (all.every(({ isReady }) => isReady)) remove(1, now, outdated);
    } else create(now, false);
  };

  const judgedSpan = (from: number, until: number): number => Math.max(0, until - Math.max(from, warmUpMs));

  return {
    pods,
    fleet,
    reportsAt,
    open: () => open,
    openPlaces: () => openPlaces,
    places: () => takenPlaces,
    refresh() {
      if (!isStale) return;
      isStale = false;
      open = pods.filter(takesRequests);
      openPlaces = Int32Array.from(open, ({ place }) => place);
      takenPlaces = Int32Array.from(pods, ({ place }) => place);
    },
    size: () => size,
    scale(wanted, now) {
      size = wanted;
      match(now);
      place(now);
    },
    advance(now) {
      const gone: Pod[] = [];
      for (let index = pods.length - 1; index >= 0; index -= 1) {
        const pod = pods[index]!;
        if (pod.deletedAt === undefined || pod.engine.running() + pod.engine.waiting() > 0) continue;
        if (pod.placedAt !== undefined) replicaMs += judgedSpan(pod.placedAt, now);
        freePlaces.push(pod.place);
        gone.push(...pods.splice(index, 1));
        isStale = true;
      }
      place(now);
      replicaMs += nodes.empty() * judgedSpan(now - tickMs, now);
      for (const pod of pods) {
        // At the nearest tick: at the next one, every start would last half a tick longer.
        if (!pod.isReady && pod.deletedAt === undefined && now + tickMs / 2 > pod.readyAt) {
          pod.isReady = true;
          pod.readyAt = Math.min(pod.readyAt, now);
          isStale = true;
        }
      }
      return gone;
    },
    reconcile(now) {
      rollOut(now);
      match(now);
    },
    starts: () => starts,
    replicaSeconds(until) {
      const running = pods.reduce(
        (sum, { placedAt }) => sum + (placedAt === undefined ? 0 : judgedSpan(placedAt, until)),
        0,
      );
      return (replicaMs + running) / 1_000;
    },
  };
}

/** 0.8 to 1.3 of the mean: nodes with a warm cache are a little faster, cold ones more than a little slower. */
const startUp = (meanMs: number, random: Random): number =>
  meanMs * (0.8 + 0.4 * random.uniform() ** 1.2 + 0.1 * random.uniform());
