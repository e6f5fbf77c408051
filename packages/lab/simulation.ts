// A target on a virtual clock: requests arrive as recorded, a load balancer spreads them over ready pods, agents report
// each second and at once when their load jumps, and a contender says how many replicas there should be: whoever follows
// reports looks when the real controller would. The same input and seed give the same output, to the byte.
import { createLoadStep, lookIn, lookWithoutReport, type PodFacts, type ReceivedReport } from '@kubeai/decision';
import { type Instant, milliseconds } from '@kubeai/units';
import type { Answer, Contender, PodView } from './contender.ts';
import { createDeployment, type Pod, takesRequests } from './deployment.ts';
import { createPodViews } from './pod-views.ts';
import { createRandom } from './random.ts';
import type { RequestBook } from './replica.ts';
import { epoch } from './simulated-time.ts';
import { createWire } from './wire.ts';
import type { Workload } from './workload.ts';
import { isHappening, tickMs, type World } from './world.ts';

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

/** Plays a workload against a contender. `progress` is told the share that is done, now and then. */
export function simulate(
  workload: Workload,
  world: World,
  contender: Contender,
  progress?: (share: number) => void,
): Outcome {
  const { at } = workload;
  const { minReplicas, maxReplicas, initialReplicas, patienceMs } = world;
  const count = at.length;
  const book: RequestBook = {
    at,
    prompt: workload.prompt,
    output: workload.output,
    firstAt: new Float64Array(count).fill(Number.NaN),
    doneAt: new Float64Array(count).fill(Number.NaN),
  };
  const scaler = contender.create({ min: minReplicas, max: maxReplicas, initial: initialReplicas });
  const hasAgents = contender.sees === 'reports';
  const deployment = createDeployment(world, book, hasAgents);
  const { pods, fleet, reportsAt } = deployment;
  const { endsAt, load } = fleet;
  const views = createPodViews();
  const isBlind = (now: number): boolean => isHappening(world, 'metricOutage', now);
  const wire = createWire(world.wire, createRandom(world.seed + 1), isBlind);
  /** Requests that found no pod open. */
  const door: number[] = [];
  const moments: Moment[] = [];
  const minutes: Minute[] = [];
  let why = 'as it was found';
  let abandoned = 0;
  let rejected = 0;
  let turn = 0;
  let next = 0;

  /** The place of the pod that gets it; undefined when none is open. */
  const dispatch = (request: number, now: number): number | undefined => {
    const open = deployment.open();
    let chosen = 0;
    if (world.balancer === 'roundRobin') {
      chosen = turn % Math.max(1, open.length);
      turn += 1;
    } else {
      const openPlaces = deployment.openPlaces();
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

  const admit = (now: number): void => {
    if (door.length === 0 || !pods.some(takesRequests)) return;
    deployment.refresh();
    for (const request of door.splice(0)) dispatch(request, now);
  };

  const abandon = (now: number): void => {
    for (const { engine, probe } of pods) {
      for (const _ of engine.abandon(now - patienceMs, now)) {
        abandoned += 1;
        probe?.aborted();
      }
    }
    while (door.length > 0 && at[door[0]!]! < now - patienceMs) {
      door.shift();
      abandoned += 1;
    }
  };

  const ask = (now: number, seen: readonly PodView[] = []): void => {
    const size = deployment.size();
    const answer: Answer | undefined = scaler.look({
      now,
      replicas: size,
      pods: seen,
      blind: isBlind(now),
      reports: came.splice(0),
      facts: () => pods.map(factsOf),
    });
    if (answer === undefined) return;
    why = answer.why;
    const to = Math.max(minReplicas, Math.min(maxReplicas, answer.replicas));
    if (to === size) return;
    moments.push({ at: now, from: size, to, why });
    deployment.scale(to, now);
  };

  /** Reports that came since the last look, and when the next look is due, as it stands. */
  const came: ReceivedReport[] = [];
  const loadStep = createLoadStep();
  const tick = milliseconds(contender.everyMs);
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looksAt = hasAgents ? lookWithoutReport(tick) : Number.POSITIVE_INFINITY;

  /** When an agent reports, a report comes or is followed next. */
  const nextTold = (places: Int32Array): number => {
    if (!hasAgents) return Number.POSITIVE_INFINITY;
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
      deployment.refresh();
      const places = deployment.places();
      // An arrival may be what an agent reports at once.
      let told = nextTold(places);
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

  const seesPods = contender.sees === 'pods';
  const isDue = (now: number): boolean => now % contender.everyMs === 0;
  const end = workload.spanMs;
  let lastShare = 0;
  for (let now = tickMs; now <= end; now += tickMs) {
    serveUntil(now);
    for (const { uid } of deployment.advance(now)) wire.forget(uid);
    admit(now);
    deployment.reconcile(now);
    abandon(now);
    if (!hasAgents && isDue(now)) ask(now, seesPods ? views.end(pods, now) : []);
    if (seesPods && isDue(now + tickMs)) views.begin(pods, now);
    if (now % 60_000 === 0) {
      minutes.push({
        asked: deployment.size(),
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
  return {
    contender,
    judgedFromMs: world.warmUpMs,
    firstAt: book.firstAt,
    doneAt: book.doneAt,
    replicaSeconds: deployment.replicaSeconds(end),
    starts: deployment.starts(),
    abandoned,
    rejected,
    moments,
    minutes,
  };
}

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
