// A target in a closed loop on a virtual clock: requests, replicas that take time to start and slow down as they fill,
// agents that report each second, and `decide` that scales. Small on purpose: one class of requests, processor sharing
// up to a number of places, a queue for the rest.
import type { Policy } from '@kubeai/policy';
import type { Report } from '@kubeai/protocol';
import { createSketch, type Sketch } from '@kubeai/sketch';
import { type Instant, instant } from '@kubeai/units';
import { decide } from '../decide.ts';
import type { Decision } from '../decision.ts';
import { emptyHistory, type History } from '../history.ts';
import { ledgerOf, type PodFacts } from '../ledger.ts';
import { createSignalFold, type SignalFold } from '../signal-fold.ts';
import type { Snapshot } from '../snapshot.ts';
import { lostOf } from './report-of.ts';

export interface FleetOptions {
  readonly policy: Policy;
  readonly replicas: number;
  readonly startSeconds: number;
  /** Requests a replica works on at once; more wait. */
  readonly places?: number;
  /** Milliseconds an answer takes alone on a replica. */
  readonly serviceMs: number;
  /** Up to so many at once, answers are as fast as alone; beyond, each slows the others in proportion. */
  readonly free?: number;
  readonly tokens?: number;
  readonly seed?: number;
  readonly history?: History;
  /** The most replicas that a GPU budget allows. */
  readonly gpuReplicas?: number;
}

interface Request {
  readonly at: number;
  /** Milliseconds of solo work left. */
  left: number;
  readonly all: number;
  readonly tokens: number;
  startedAt?: number;
  /** Of a closed group: comes back at once. */
  readonly user: boolean;
}

interface Replica {
  readonly uid: string;
  readonly createdAt: number;
  /** When it found a node. */
  placedAt?: number;
  deletedAt?: number;
  /** When its node was cut off. */
  cutAt?: number;
  readonly queue: Request[];
  readonly running: Request[];
  sequence: number;
  latency: Sketch;
  first: Sketch;
  inter: Sketch;
  busyMs: number;
  started: number;
  finished: number;
  generated: number;
}

const stepMs = 100;
/** A node that is silent for so long is given up. */
const nodeGraceMs = 45_000;
export const epoch = 1_700_000_000_000;

export function createFleet(options: FleetOptions) {
  const places = options.places ?? 8;
  const free = options.free ?? places / 2;
  let serviceMs = options.serviceMs;
  let tokens = options.tokens ?? 100;
  let seed = options.seed ?? 1;
  let clock = 0;
  let wanted = options.replicas;
  let arrivalsPerSecond = 0;
  let users = 0;
  let made = 0;
  let room = Number.POSITIVE_INFINITY;
  let roomSince = Number.NEGATIVE_INFINITY;
  let silent: (uid: string) => boolean = () => false;
  const replicas: Replica[] = [];
  const lost: Request[] = [];
  let fold: SignalFold = createSignalFold(options.policy);
  let history: History = options.history ?? emptyHistory(options.replicas, instant(epoch));
  const decisions: { second: number; decision: Decision; snapshot: Snapshot }[] = [];

  // mulberry32: small, seeded, and good enough for arrivals.
  const random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const isLost = ({ cutAt }: Replica) => cutAt !== undefined && clock - cutAt >= nodeGraceMs;
  const ready = (replica: Replica) =>
    replica.deletedAt === undefined &&
    !isLost(replica) &&
    replica.placedAt !== undefined &&
    clock - replica.placedAt >= options.startSeconds * 1_000;

  const create = (createdAt: number): void => {
    made += 1;
    replicas.push({
      uid: `pod-${made}`,
      createdAt,
      queue: [],
      running: [],
      sequence: 0,
      latency: createSketch(),
      first: createSketch(),
      inter: createSketch(),
      busyMs: 0,
      started: 0,
      finished: 0,
      generated: 0,
    });
  };
  const findNodes = (): void => {
    let placed = replicas.filter(({ placedAt }) => placedAt !== undefined).length;
    for (const replica of replicas) {
      if (replica.placedAt !== undefined || replica.deletedAt !== undefined || placed >= room) continue;
      replica.placedAt = Math.max(replica.createdAt, roomSince);
      placed += 1;
    }
  };
  for (let index = 0; index < options.replicas; index += 1) create(-options.startSeconds * 1_000 - 60_000);
  findNodes();

  const arrive = (user: boolean): void => {
    const able = replicas.filter(ready);
    const all = serviceMs * (0.5 + random());
    const request: Request = { at: clock, left: all, all, tokens, user };
    if (able.length === 0) {
      lost.push(request);
      return;
    }
    const target = able.reduce((least, each) =>
      each.queue.length + each.running.length < least.queue.length + least.running.length ? each : least,
    );
    target.started += 1;
    target.queue.push(request);
  };

  const work = (replica: Replica): void => {
    if (replica.cutAt !== undefined) return;
    while (replica.running.length < places && replica.queue.length > 0) {
      const request = replica.queue.shift()!;
      request.startedAt = clock;
      replica.running.push(request);
      replica.first.record(clock - request.at + serviceMs * 0.1);
    }
    replica.busyMs += (replica.running.length + replica.queue.length) * stepMs;
    const pace = Math.min(1, free / Math.max(1, replica.running.length));
    for (let index = replica.running.length - 1; index >= 0; index -= 1) {
      const request = replica.running[index]!;
      // Answers are streamed: tokens are counted as they come.
      replica.generated += (request.tokens * Math.min(request.left, stepMs * pace)) / request.all;
      request.left -= stepMs * pace;
      if (request.left > 0) continue;
      replica.running.splice(index, 1);
      replica.latency.record(clock + stepMs - request.at);
      replica.inter.record((clock + stepMs - (request.startedAt ?? clock)) / request.tokens, request.tokens);
      replica.finished += 1;
      if (request.user && users > 0) arrive(true);
    }
  };

  const facts = (replica: Replica): PodFacts => {
    const isReady = ready(replica);
    const { placedAt } = replica;
    const since = instant(epoch + (placedAt ?? 0) + options.startSeconds * 1_000);
    const found: PodFacts = {
      name: replica.uid,
      uid: replica.uid,
      phase: placedAt === undefined ? 'Pending' : 'Running',
      createdAt: instant(epoch + replica.createdAt),
      ...(replica.deletedAt === undefined ? {} : { deletedAt: instant(epoch + replica.deletedAt) }),
      conditions: [
        placedAt === undefined
          ? { type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }
          : { type: 'PodScheduled', status: 'True', since: instant(epoch + placedAt) },
        { type: 'Ready', status: isReady ? 'True' : 'False', ...(isReady ? { since } : {}) },
      ],
      containers:
        placedAt === undefined
          ? []
          : [{ name: 'model', ready: isReady, started: isReady, restarts: 0, state: 'running' }],
    };
    return isLost(replica) ? lostOf(found) : found;
  };

  const report = (replica: Replica): Report => {
    const inFlight = replica.running.length + replica.queue.length;
    const line: Report = {
      version: 1,
      run: replica.uid,
      sequence: replica.sequence,
      ageMs: 0,
      windowMs: 1_000,
      pod: { namespace: 'models', name: replica.uid, uid: replica.uid },
      traffic: {
        inFlight,
        waitingFirstByte: replica.queue.length,
        concurrency: replica.busyMs / 1_000,
        started: replica.started,
        finished: replica.finished === 0 ? {} : { '2xx': replica.finished },
        failed: 0,
        aborted: 0,
        rejected: 0,
        promptTokens: replica.finished * 50,
        generatedTokens: replica.generated,
        latencyMs: replica.latency.encode(),
        timeToFirstByteMs: replica.first.encode(),
        timeToFirstTokenMs: replica.first.encode(),
        interTokenMs: replica.inter.encode(),
        unobservedConnections: 0,
      },
      queue: { length: replica.queue.length, source: 'engine' },
      absent: {},
    };
    replica.sequence += 1;
    replica.busyMs = 0;
    replica.started = 0;
    replica.finished = 0;
    replica.generated = 0;
    replica.latency.clear();
    replica.first.clear();
    replica.inter.clear();
    return line;
  };

  const scale = (size: number): void => {
    wanted = size;
    const live = () => replicas.filter(({ deletedAt }) => deletedAt === undefined);
    while (live().length < wanted) create(clock);
    while (live().length > wanted && old.size === 0) {
      const victims = live().sort(
        (left, right) =>
          Number(left.placedAt !== undefined) - Number(right.placedAt !== undefined) ||
          Number(!isLost(left)) - Number(!isLost(right)) ||
          right.createdAt - left.createdAt,
      );
      const victim = victims[0]!;
      victim.deletedAt = clock;
    }
  };

  // A rollout starts one replica beside the others, and stops an old one for each that serves.
  let old = new Set<string>();
  const rollOut = (): void => {
    const live = replicas.filter(({ deletedAt }) => deletedAt === undefined);
    if (!live.some(({ uid }) => old.has(uid))) old = new Set();
    if (old.size === 0 || live.some((replica) => !ready(replica))) return;
    const outdated = live.find(({ uid }) => old.has(uid));
    if (live.length > wanted && outdated !== undefined) outdated.deletedAt = clock;
    else create(clock);
  };

  const second = (): void => {
    rollOut();
    findNodes();
    for (let step = 0; step < 1_000 / stepMs; step += 1) {
      const expected = (arrivalsPerSecond * stepMs) / 1_000;
      let chance = expected;
      while (chance > 0) {
        if (random() < Math.min(1, chance)) arrive(false);
        chance -= 1;
      }
      while (lost.length > 0 && replicas.some(ready)) arrive(lost.shift()!.user);
      for (const replica of replicas) work(replica);
      clock += stepMs;
    }
    for (let index = replicas.length - 1; index >= 0; index -= 1) {
      const replica = replicas[index]!;
      if (replica.deletedAt !== undefined && replica.running.length + replica.queue.length === 0)
        replicas.splice(index, 1);
    }
    const now = instant(epoch + clock) as Instant;
    for (const replica of replicas) {
      if (!ready(replica) || replica.cutAt !== undefined) continue;
      const line = report(replica);
      if (!silent(replica.uid)) fold.accept(line, now);
    }
    const pods = replicas.map(facts);
    const folded = fold.fold(pods, now);
    const snapshot: Snapshot = {
      replicas: wanted,
      ledger: ledgerOf(wanted, pods, history, now),
      ...folded,
      ...(options.gpuReplicas === undefined ? {} : { gpuReplicas: options.gpuReplicas }),
    };
    const decided = decide(options.policy, snapshot, history, now);
    history = decided.history;
    decisions.push({ second: Math.round(clock / 1_000), decision: decided.decision, snapshot });
    if (decided.decision.replicas !== wanted) scale(decided.decision.replicas);
  };

  return {
    decisions,
    /** Runs so many seconds and tells the sizes in force after each. */
    run(seconds: number): number[] {
      const sizes: number[] = [];
      for (let index = 0; index < seconds; index += 1) {
        second();
        sizes.push(wanted);
      }
      return sizes;
    },
    setArrivals: (rate: number) => {
      arrivalsPerSecond = rate;
    },
    /** A closed group: each user asks again as soon as the last answer is there. */
    setUsers: (count: number) => {
      const more = count - users;
      users = count;
      for (let index = 0; index < more; index += 1) arrive(true);
    },
    setService: (ms: number, perAnswer: number) => {
      serviceMs = ms;
      tokens = perAnswer;
    },
    /** So many replicas find nodes, from now on. */
    setRoom: (count: number) => {
      room = count;
      roomSince = clock;
    },
    silence: (which: (uid: string) => boolean) => {
      silent = which;
    },
    /** The nodes of so many replicas are cut off: they answer nobody any more. */
    cutOff: (count: number) => {
      for (const replica of replicas.filter(ready).slice(0, count)) replica.cutAt = clock;
    },
    /** The nodes are back, and what was lost with them. */
    comeBack: () => {
      for (const replica of replicas) delete replica.cutAt;
    },
    /** Kubernetes gives up what is lost, and makes others. */
    evict: () => {
      for (const replica of replicas.filter(isLost)) {
        replica.deletedAt = clock;
        replica.queue.length = 0;
        replica.running.length = 0;
      }
      scale(wanted);
    },
    /** The controller starts anew with this history; nothing else is kept. */
    restart: (kept: History | undefined) => {
      fold = createSignalFold(options.policy);
      history = kept ?? emptyHistory(wanted, instant(epoch + clock));
    },
    rollOut: () => {
      old = new Set(replicas.map(({ uid }) => uid));
    },
    scale,
    now: () => instant(epoch + clock),
    size: () => wanted,
    serving: () => replicas.filter(ready).length,
    history: () => history,
    last: () => decisions.at(-1)!,
  };
}
