// One replica: the continuous-batching engine of @kubeai/model-server, step for step, made fast enough for a day of a
// million requests. While a batch only decodes, every step takes the same time, so steps are counted and not played; the
// others (reading prompts, tight KV memory) are played one by one by the same rules. replica.test.ts holds both engines
// to the same answers.
import type { ServiceTimes } from '@kubeai/model-server';

export interface EngineLimits {
  readonly maxBatch: number;
  readonly maxQueue: number;
  readonly maxBatchedTokens: number;
  readonly kvBlocks: number;
}

/** Durations of steps by size, looked up instead of interpolated. */
export interface StepTimes {
  /** By tokens in the step. */
  readonly prefill: Float64Array;
  /** By sequences in the step. */
  readonly decode: Float64Array;
}

export function stepTimesOf(times: ServiceTimes, { maxBatch, maxBatchedTokens }: EngineLimits): StepTimes {
  return {
    prefill: Float64Array.from({ length: maxBatchedTokens + 1 }, (_, tokens) =>
      tokens === 0 ? 0 : times.prefillMs(tokens),
    ),
    decode: Float64Array.from({ length: maxBatch + 1 }, (_, sequences) =>
      sequences === 0 ? 0 : times.decodeMs(sequences),
    ),
  };
}

/** What is known of every request, by its number; replicas write what happens to it. */
export interface RequestBook {
  readonly at: Float64Array;
  readonly prompt: Int32Array;
  readonly output: Int32Array;
  /** When the first token came and the last; NaN until then. */
  readonly firstAt: Float64Array;
  readonly doneAt: Float64Array;
  readonly generated: Int32Array;
  readonly computed: Int32Array;
  readonly blocks: Int32Array;
}

/** Told what an agent beside the replica would see. */
export interface ReplicaObserver {
  firstToken(request: number, now: number): void;
  /** `times` tokens came, each `gapMs` after the one before it in its stream. */
  tokens(gapMs: number, times: number): void;
  finished(request: number, now: number): void;
}

export interface Replica {
  /** Takes a request at `now`, up to which the replica has been advanced. False: the queue is full. */
  submit(request: number, now: number): boolean;
  /** When something next changes by itself; infinite while idle. */
  nextAt(): number;
  /** Plays everything that ends until `now`. */
  advance(now: number): void;
  /** Counts the tokens of the steps that ended until `now`, for a report of that moment. */
  settle(now: number): void;
  /** Removes requests that have waited for their first token since before `since`. */
  abandon(since: number, now: number): number[];
  running(): number;
  waiting(): number;
  kvRatio(): number;
  /** Milliseconds within steps, and request-milliseconds, since the start. */
  busyMs(): number;
  inFlightMs(now: number): number;
}

const blockTokens = 16;

export function createReplica(
  times: StepTimes,
  limits: EngineLimits,
  book: RequestBook,
  observer: ReplicaObserver | undefined,
): Replica {
  const { prompt, output, generated, computed, blocks } = book;
  const running: number[] = [];
  const waiting: number[] = [];
  let freeBlocks = limits.kvBlocks;
  let busy = 0;
  let area = 0;
  let areaAt = 0;

  /** A step played for itself: who shares it, and how many tokens each. */
  let members: number[] = [];
  let shares: number[] = [];
  /** Steps that only decode: `left` of them, each `stepMs`, the first began at `from`. Zero: a played step, or idle. */
  let left = 0;
  let stepMs = 0;
  let from = 0;
  let endsAt = Number.POSITIVE_INFINITY;

  const known = (id: number): number => prompt[id]! + generated[id]!;
  const blocksFor = (tokens: number): number => Math.ceil(tokens / blockTokens);

  const clock = (now: number): void => {
    area += (running.length + waiting.length) * (now - areaAt);
    areaAt = now;
  };

  function take(id: number, tokens: number): boolean {
    const more = blocksFor(computed[id]! + tokens) - blocks[id]!;
    if (more > freeBlocks) return false;
    freeBlocks -= more;
    blocks[id]! += more;
    return true;
  }

  function release(id: number): void {
    freeBlocks += blocks[id]!;
    blocks[id] = 0;
    computed[id] = 0;
  }

  /** Throws out the youngest until the member has its blocks; false when the member itself had to go. */
  function makeRoom(id: number, tokens: number): boolean {
    while (!take(id, tokens)) {
      const victim = running.pop()!;
      release(victim);
      waiting.unshift(victim);
      if (victim === id) return false;
    }
    return true;
  }

  /** Starts decoding in a row where nothing else can happen; false where a step must be played. */
  function beginRun(now: number): boolean {
    const count = running.length;
    if (count === 0 || (waiting.length > 0 && count < limits.maxBatch)) return false;
    let steps = Number.POSITIVE_INFINITY;
    for (const id of running) {
      // The last token of a prompt may be alone in its step and is still reading.
      if (generated[id] === 0 || known(id) - computed[id]! !== 1) return false;
      const rest = output[id]! - generated[id]!;
      if (rest < steps) steps = rest;
    }
    // Every member takes a block each 16 tokens, and one for the start.
    const safe = (freeBlocks / count - 1) * blockTokens;
    if (safe < 1) return false;
    left = Math.min(steps, Math.floor(safe));
    stepMs = times.decode[count]!;
    from = now;
    endsAt = from + left * stepMs;
    return true;
  }

  function begin(now: number): void {
    left = 0;
    if (beginRun(now)) return;
    members = [];
    shares = [];
    let budget = limits.maxBatchedTokens;
    let total = 0;
    let reading = false;
    let preempted = false;
    const share = (id: number, tokens: number): void => {
      budget -= tokens;
      total += tokens;
      if (generated[id] === 0 || tokens > 1) reading = true;
      members.push(id);
      shares.push(tokens);
    };
    for (let at = 0; at < running.length && budget > 0; at += 1) {
      const id = running[at]!;
      const tokens = Math.min(known(id) - computed[id]!, budget);
      const before = running.length;
      const hasRoom = makeRoom(id, tokens);
      if (running.length < before) preempted = true;
      if (!hasRoom) break;
      share(id, tokens);
    }
    while (!preempted && running.length < limits.maxBatch && budget > 0 && waiting.length > 0) {
      const id = waiting[0]!;
      const tokens = Math.min(known(id), budget);
      if (!take(id, tokens)) break;
      waiting.shift();
      running.push(id);
      share(id, tokens);
    }
    if (members.length === 0) {
      endsAt = Number.POSITIVE_INFINITY;
      return;
    }
    const decode = times.decode[members.length]!;
    stepMs = reading ? Math.max(times.prefill[total]!, decode) : decode;
    from = now;
    endsAt = now + stepMs;
  }

  function finish(id: number, now: number): void {
    release(id);
    running.splice(running.indexOf(id), 1);
    book.doneAt[id] = now;
    observer?.finished(id, now);
  }

  /** Books the steps of a run that ended until `now`; members that are done stay until the run itself ends. */
  function settleRun(now: number): void {
    const steps = now >= endsAt ? left : Math.min(left, Math.floor((now - from) / stepMs + 1e-9));
    if (steps <= 0) return;
    for (const id of running) {
      generated[id]! += steps;
      computed[id]! += steps;
      const more = blocksFor(computed[id]!) - blocks[id]!;
      if (more > 0) {
        freeBlocks -= more;
        blocks[id]! += more;
      }
    }
    observer?.tokens(stepMs, steps * running.length);
    busy += steps * stepMs;
    left -= steps;
    from += steps * stepMs;
  }

  function completeStep(now: number): void {
    busy += stepMs;
    for (let at = 0; at < members.length; at += 1) {
      const id = members[at]!;
      computed[id]! += shares[at]!;
      if (computed[id]! < known(id)) continue;
      generated[id]! += 1;
      if (generated[id] === 1) {
        book.firstAt[id] = now;
        observer?.firstToken(id, now);
      } else observer?.tokens(stepMs, 1);
      if (generated[id]! >= output[id]!) finish(id, now);
    }
  }

  function endStage(): void {
    const now = endsAt;
    clock(now);
    if (left > 0) {
      settleRun(now);
      for (let at = running.length - 1; at >= 0; at -= 1) {
        const id = running[at]!;
        if (generated[id]! >= output[id]!) finish(id, now);
      }
    } else completeStep(now);
    begin(now);
  }

  return {
    submit(id, now) {
      if (waiting.length >= limits.maxQueue + limits.maxBatch - running.length) return false;
      clock(now);
      waiting.push(id);
      if (endsAt === Number.POSITIVE_INFINITY) begin(now);
      else if (left > 1 && running.length < limits.maxBatch) {
        // The newcomer joins when the step under way ends.
        left = Math.min(left, Math.floor((now - from) / stepMs + 1e-9) + 1);
        endsAt = from + left * stepMs;
      }
      return true;
    },
    nextAt: () => endsAt,
    advance(now) {
      while (endsAt <= now) endStage();
    },
    settle(now) {
      // The last step of a run is the stage's own to end, whatever the rounding of `now` says.
      if (left > 1 && now < endsAt) settleRun(Math.min(now, endsAt - stepMs));
    },
    abandon(since, now) {
      const gone: number[] = [];
      while (waiting.length > 0) {
        const id = waiting[0]!;
        if (generated[id]! > 0 || book.at[id]! >= since) break;
        clock(now);
        waiting.shift();
        gone.push(id);
      }
      return gone;
    },
    running: () => running.length,
    waiting: () => waiting.length,
    kvRatio: () => 1 - freeBlocks / limits.kvBlocks,
    busyMs: () => busy,
    inFlightMs(now) {
      clock(now);
      return area;
    },
  };
}
