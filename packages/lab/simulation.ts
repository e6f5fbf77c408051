// A target on a virtual clock: requests arrive as recorded, a load balancer spreads them over ready pods, pods take their
// time to start and leave only when their last answer has gone, GPUs are finite and may have to be brought, agents report
// each second and at once when their load jumps, and a contender says how many replicas there should be: whoever follows
// reports looks when the real controller would. The same input and seed give the same output, to the byte.
import assert from 'node:assert';
import { createLoadStep, lookIn, lookWithoutReport, type PodFacts, type ReceivedReport } from '@kubeai/decision';
import { type Instant, milliseconds } from '@kubeai/units';
import { type AgentProbe, createAgentProbe } from './agent-probe.ts';
import type { Answer, Contender, PodView } from './contender.ts';
import { createNodes, type NodesOptions } from './nodes.ts';
import { createRandom, type Random } from './random.ts';
import {
  createFleet,
  createReplica,
  type EngineLimits,
  type Replica,
  type RequestBook,
  type StepTimes,
} from './replica.ts';
import { epoch } from './simulated-time.ts';
import { createWire, type WireOptions } from './wire.ts';
import type { Workload } from './workload.ts';

/** What happens to the world around the target, in milliseconds of simulated time. */
export interface Incident {
  readonly kind: 'metricOutage' | 'noFreeGpus' | 'rollout';
  readonly from: number;
  readonly until: number;
}

export interface World {
  readonly times: StepTimes;
  readonly limits: EngineLimits;
  /** From creation to readiness on average; single starts take 0.8 to 1.3 of it, the longer ones being rarer. */
  readonly startUpMs: number;
  /** Starts that were measured, one after another, instead; the last one holds for all that follow. */
  readonly startsMs?: readonly number[];
  /** Replicas for which there are GPUs. */
  readonly maxReplicas: number;
  readonly nodes: NodesOptions;
  readonly wire: WireOptions;
  readonly minReplicas: number;
  readonly initialReplicas: number;
  readonly balancer: 'leastRequests' | 'roundRobin';
  /** A client that has no token after so long goes away. */
  readonly patienceMs: number;
  readonly seed: number;
  readonly incidents: readonly Incident[];
  /** Milliseconds at the beginning in which everybody plays and nobody is judged. */
  readonly warmUpMs: number;
}

export interface Moment {
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

export interface Outcome {
  readonly contender: Contender;
  /** From when on this is judged, in milliseconds; the sums below begin there. */
  readonly judgedFromMs: number;
  /** By request: when the first and the last token came; NaN for those that never did. */
  readonly firstAt: Float64Array;
  readonly doneAt: Float64Array;
  /** From a pod's place on its GPUs to its end, summed, in seconds; and nodes that came for one and are empty. */
  readonly replicaSeconds: number;
  readonly starts: number;
  readonly abandoned: number;
  readonly rejected: number;
  readonly moments: readonly Moment[];
  /** Each minute. */
  readonly minutes: readonly Minute[];
}

/** Replicas asked for and ready, requests in flight, and what the contender said last about the size, changed or not. */
export interface Minute {
  readonly asked: number;
  readonly ready: number;
  readonly inFlight: number;
  readonly why: string;
}

interface Pod {
  readonly uid: string;
  /** Its place in the fleet's columns. */
  readonly place: number;
  readonly createdAt: number;
  placedAt: number | undefined;
  readyAt: number;
  deletedAt: number | undefined;
  isReady: boolean;
  readonly engine: Replica;
  readonly probe: AgentProbe | undefined;
  view: PodView;
  busyMs: number;
  areaMs: number;
  old: boolean;
}

const tickMs = 1_000;

/** Plays a workload against a contender. `progress` is told the share that is done, now and then. */
export function simulate(
  workload: Workload,
  world: World,
  contender: Contender,
  progress?: (share: number) => void,
): Outcome {
  const { at } = workload;
  const count = at.length;
  const book: RequestBook = {
    at,
    prompt: workload.prompt,
    output: workload.output,
    firstAt: new Float64Array(count).fill(Number.NaN),
    doneAt: new Float64Array(count).fill(Number.NaN),
  };
  const random = createRandom(world.seed);
  const scaler = contender.create({ min: world.minReplicas, max: world.maxReplicas, initial: world.initialReplicas });
  const pods: Pod[] = [];
  const door: number[] = [];
  const moments: Moment[] = [];
  const minutes: Minute[] = [];
  let asked = world.initialReplicas;
  let why = 'as it was found';
  let made = 0;
  let begun = 0;
  let starts = 0;
  let abandoned = 0;
  let rejected = 0;
  let replicaMs = 0;
  let turn = 0;
  let next = 0;
  // Chance of their own, so that the same starts are drawn whoever looks and however reports travel.
  const nodeRandom = createRandom(world.seed + 2);
  const nodes = createNodes(world.nodes, world.maxReplicas, world.initialReplicas, (mean) => startUp(mean, nodeRandom));
  const phaseRandom = createRandom(world.seed + 3);
  const hasRollouts = world.incidents.some(({ kind }) => kind === 'rollout');
  const happening = (kind: Incident['kind'], now: number): boolean =>
    world.incidents.some((incident) => incident.kind === kind && now >= incident.from && now < incident.until);
  const wire = createWire(world.wire, createRandom(world.seed + 1), (now) => happening('metricOutage', now));

  // Placed pods are as many as find GPUs; those that wait for them, or were deleted while waiting, as many again each.
  const fleet = createFleet(3 * world.maxReplicas + 3);
  const { endsAt, load } = fleet;
  /** When each agent next reports, in a column like those of the fleet. */
  const reportsAt = new Float64Array(load.length).fill(Number.POSITIVE_INFINITY);
  const freePlaces = Array.from({ length: load.length }, (_, index) => load.length - 1 - index);
  /** Pods that take requests, and places in columns: they are looked through at every arrival, and change at ticks only. */
  let isStale = true;
  let open: Pod[] = [];
  let openPlaces = new Int32Array(0);
  let places = new Int32Array(0);
  const refresh = (): void => {
    if (!isStale) return;
    isStale = false;
    open = pods.filter(takesRequests);
    openPlaces = Int32Array.from(open, ({ place }) => place);
    places = Int32Array.from(pods, ({ place }) => place);
  };

  const create = (now: number, running: boolean): void => {
    made += 1;
    isStale = true;
    const uid = `pod-${made}`;
    const probe =
      contender.sees === 'reports' ? createAgentProbe(uid, book, now, tickMs * phaseRandom.uniform()) : undefined;
    const place = freePlaces.pop();
    assert(place !== undefined, 'a fleet has places for all that may exist at once');
    if (probe !== undefined) reportsAt[place] = probe.dueAt;
    pods.push({
      uid,
      place,
      createdAt: running ? now - 2 * world.startUpMs : now,
      placedAt: running ? now : undefined,
      readyAt: running ? now - world.startUpMs : Number.POSITIVE_INFINITY,
      deletedAt: undefined,
      isReady: running,
      engine: createReplica(world.times, world.limits, book, fleet, place, probe),
      probe,
      view: viewOf(uid, running, now),
      busyMs: 0,
      areaMs: 0,
      old: false,
    });
  };
  for (let index = 0; index < asked; index += 1) create(0, true);

  /** The place of the pod that gets it; undefined when none is open. */
  const dispatch = (request: number, now: number): number | undefined => {
    let chosen = 0;
    if (world.balancer === 'roundRobin') {
      chosen = turn % Math.max(1, open.length);
      turn += 1;
    } else {
      let least = Number.POSITIVE_INFINITY;
      for (let index = 0; index < openPlaces.length; index += 1) {
        const inside = load[openPlaces[index]!]!;
        if (inside < least) {
          least = inside;
          chosen = index;
        }
      }
    }
    const best = open[chosen];
    if (best === undefined) {
      door.push(request);
      return undefined;
    }
    if (!best.engine.submit(request, now)) {
      rejected += 1;
      best.probe?.refused();
    }
    if (best.probe !== undefined) {
      best.probe.started(load[best.place]!, now);
      reportsAt[best.place] = best.probe.dueAt;
    }
    return best.place;
  };

  const judgedSpan = (from: number, until: number): number => Math.max(0, until - Math.max(from, world.warmUpMs));

  const live = (): Pod[] => pods.filter(({ deletedAt }) => deletedAt === undefined);

  /** The order Kubernetes deletes in: not placed, not ready, then the youngest. */
  const remove = (howMany: number, now: number, among: readonly Pod[]): void => {
    const order = [...among].sort(
      (left, right) =>
        Number(left.placedAt !== undefined) - Number(right.placedAt !== undefined) ||
        Number(left.isReady) - Number(right.isReady) ||
        right.createdAt - left.createdAt,
    );
    for (const pod of order.slice(0, howMany)) pod.deletedAt = now;
    isStale = true;
  };

  /** Pods that wait for GPUs get them, where there are any. */
  const place = (now: number): void => {
    if (happening('noFreeGpus', now)) return;
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
      if (now >= world.warmUpMs) starts += 1;
    }
  };

  const nextStart = (): number => {
    const { startsMs, startUpMs } = world;
    begun += 1;
    return startsMs?.[Math.min(begun, startsMs.length) - 1] ?? startUp(startUpMs, random);
  };

  const runLifecycles = (now: number): void => {
    for (let index = pods.length - 1; index >= 0; index -= 1) {
      const pod = pods[index]!;
      const isEmpty = pod.engine.running() + pod.engine.waiting() === 0;
      if (pod.deletedAt !== undefined && isEmpty) {
        if (pod.placedAt !== undefined) replicaMs += judgedSpan(pod.placedAt, now);
        freePlaces.push(pod.place);
        reportsAt[pod.place] = Number.POSITIVE_INFINITY;
        wire.forget(pod.uid);
        pods.splice(index, 1);
        isStale = true;
      }
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
    if (door.length > 0 && pods.some(takesRequests)) {
      refresh();
      for (const request of door.splice(0)) dispatch(request, now);
    }
  };

  /** One pod more at a time; an old one goes when its successor serves. */
  const runRollout = (now: number): void => {
    if (!hasRollouts) return;
    for (const { kind, from } of world.incidents) {
      if (kind === 'rollout' && now >= from && now < from + tickMs) for (const pod of pods) pod.old = true;
    }
    const outdated = live().filter(({ old }) => old);
    if (outdated.length === 0) return;
    const all = live();
    if (all.length > asked) {
      if (all.every(({ isReady }) => isReady)) remove(1, now, outdated);
    } else create(now, false);
  };

  const match = (now: number): void => {
    let size = 0;
    for (const { deletedAt } of pods) if (deletedAt === undefined) size += 1;
    if (size === asked) return;
    for (let index = size; index < asked; index += 1) create(now, false);
    const surge = live().some(({ old }) => old) ? 1 : 0;
    if (size > asked + surge) remove(size - asked - surge, now, live());
  };

  /** Looked at now: what a look finds are means of the last second, which is measured from its beginning. */
  const isLook = (now: number) => contender.sees === 'pods' && now % contender.everyMs === 0;

  const observe = (now: number): void => {
    const begins = isLook(now + tickMs);
    const ends = isLook(now);
    for (const pod of pods) {
      for (const _ of pod.engine.abandon(now - world.patienceMs, now)) {
        abandoned += 1;
        pod.probe?.aborted();
      }
      if (!begins && !ends) continue;
      pod.engine.settle(now);
      const busyMs = pod.engine.busyMs();
      const areaMs = pod.engine.inFlightMs(now);
      if (ends) {
        const waiting = pod.engine.waiting();
        pod.view = {
          uid: pod.uid,
          ready: pod.isReady,
          deleting: pod.deletedAt !== undefined,
          createdAt: pod.createdAt,
          readyAt: pod.isReady ? pod.readyAt : undefined,
          inFlight: pod.engine.running() + waiting,
          waiting,
          concurrency: (areaMs - pod.areaMs) / tickMs,
          busy: Math.min(1, (busyMs - pod.busyMs) / tickMs),
        };
      }
      pod.busyMs = busyMs;
      pod.areaMs = areaMs;
    }
    while (door.length > 0 && at[door[0]!]! < now - world.patienceMs) {
      door.shift();
      abandoned += 1;
    }
  };

  const ask = (now: number): void => {
    const answer: Answer | undefined = scaler.look({
      now,
      replicas: asked,
      pods: pods.map(({ view }) => view),
      blind: happening('metricOutage', now),
      reports: came.splice(0),
      facts: () => pods.map(factsOf),
    });
    if (answer === undefined) return;
    why = answer.why;
    if (answer.replicas === asked) return;
    const to = Math.max(world.minReplicas, Math.min(world.maxReplicas, answer.replicas));
    if (to === asked) return;
    moments.push({ at: now, from: asked, to, why });
    asked = to;
    match(now);
    place(now);
  };

  /** Reports that came since the last look, and when the next look is due, as it stands. */
  const came: ReceivedReport[] = [];
  const loadStep = createLoadStep();
  const tick = milliseconds(contender.everyMs);
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looksAt = contender.sees === 'reports' ? lookWithoutReport(tick) : Number.POSITIVE_INFINITY;

  /** When an agent reports, a report comes or is followed next. */
  const nextTold = (): number => {
    if (contender.sees !== 'reports') return Number.POSITIVE_INFINITY;
    let next = Math.min(looksAt, wire.nextAt());
    for (let index = 0; index < places.length; index += 1) {
      const due = reportsAt[places[index]!]!;
      if (due < next) next = due;
    }
    return next;
  };

  const tell = (now: number): void => {
    for (const pod of pods) {
      if (reportsAt[pod.place]! > now) continue;
      const { engine, probe, placedAt } = pod;
      engine.advance(now);
      const report = probe!.report(engine, now);
      reportsAt[pod.place] = probe!.dueAt;
      if (placedAt !== undefined) wire.send(report, now);
    }
    for (const received of wire.receive(now)) {
      came.push(received);
      const due = lookIn(milliseconds(now - lookedAt), tick, loadStep.add(received.report, received.receivedAt));
      if (due !== undefined) looksAt = Math.min(looksAt, now + due);
    }
    if (looksAt > now) return;
    lookedAt = now;
    looksAt = now + lookWithoutReport(tick);
    ask(now);
    loadStep.decided();
  };

  /** Requests that arrive until `now`, what replicas do until then, and what is told of it. */
  const serveUntil = (now: number): void => {
    for (;;) {
      refresh();
      // An arrival may be what an agent reports at once.
      let told = nextTold();
      while (next < count && at[next]! <= now && at[next]! <= told) {
        const arrived = at[next]!;
        for (let index = 0; index < places.length; index += 1) {
          if (endsAt[places[index]!]! <= arrived) pods[index]!.engine.advance(arrived);
        }
        const place = dispatch(next, arrived);
        if (place !== undefined) told = Math.min(told, reportsAt[place]!);
        next += 1;
      }
      if (told > now) break;
      tell(told);
    }
    for (const pod of pods) pod.engine.advance(now);
  };

  const end = workload.spanMs;
  let lastShare = 0;
  for (let now = tickMs; now <= end; now += tickMs) {
    serveUntil(now);
    runLifecycles(now);
    runRollout(now);
    match(now);
    observe(now);
    if (contender.sees !== 'reports' && now % contender.everyMs === 0) ask(now);
    if (now % 60_000 === 0) {
      minutes.push({
        asked,
        ready: pods.filter(takesRequests).length,
        inFlight: pods.reduce((sum, { place }) => sum + load[place]!, 0),
        why,
      });
      if (progress !== undefined && now / end - lastShare >= 0.05) {
        lastShare = now / end;
        progress(lastShare);
      }
    }
  }
  for (const { placedAt } of pods) if (placedAt !== undefined) replicaMs += judgedSpan(placedAt, end);
  return {
    contender,
    judgedFromMs: world.warmUpMs,
    firstAt: book.firstAt,
    doneAt: book.doneAt,
    replicaSeconds: replicaMs / 1_000,
    starts,
    abandoned,
    rejected,
    moments,
    minutes,
  };
}

const takesRequests = ({ isReady, deletedAt }: Pod): boolean => isReady && deletedAt === undefined;

/** 0.8 to 1.3 of the mean: nodes with a warm cache are a little faster, cold ones more than a little slower. */
const startUp = (meanMs: number, random: Random): number =>
  meanMs * (0.8 + 0.4 * random.uniform() ** 1.2 + 0.1 * random.uniform());

const viewOf = (uid: string, ready: boolean, createdAt: number): PodView => ({
  uid,
  ready,
  deleting: false,
  createdAt,
  readyAt: ready ? createdAt : undefined,
  inFlight: 0,
  waiting: 0,
  concurrency: 0,
  busy: 0,
});

function factsOf(pod: Pod): PodFacts {
  const placed = pod.placedAt !== undefined;
  const created = (epoch + pod.createdAt) as Instant;
  return {
    name: pod.uid,
    uid: pod.uid,
    phase: placed ? 'Running' : 'Pending',
    createdAt: created,
    ...(pod.deletedAt === undefined ? {} : { deletedAt: (epoch + pod.deletedAt) as Instant }),
    conditions: [
      placed
        ? { type: 'PodScheduled', status: 'True' as const, since: (epoch + pod.placedAt!) as Instant }
        : { type: 'PodScheduled', status: 'False' as const, reason: 'Unschedulable' },
      pod.isReady
        ? { type: 'Ready', status: 'True' as const, since: (epoch + Math.max(pod.readyAt, pod.createdAt)) as Instant }
        : { type: 'Ready', status: 'False' as const },
    ],
    containers: [
      { name: 'model', ready: pod.isReady, started: pod.isReady, restarts: 0, state: placed ? 'running' : 'waiting' },
    ],
  };
}
