// One replica: the continuous-batching engine of @kubeai/model-server, step for step, made fast enough for days of
// millions of requests. Members of a batch that only decode all get one token a step: they are kept as one group with a
// count of its steps, at which each of them ends, so that a step costs the same for two members as for thirty, and steps in
// which nothing changes are counted and not played. replica.test.ts holds both engines to the same answers.
import assert from 'node:assert';
import { type Hardware, kvBlocksOf, type ServiceTimes } from '@kubeai/model-server';

export interface EngineLimits {
  readonly maxBatch: number;
  readonly maxQueue: number;
  readonly maxBatchedTokens: number;
  readonly kvBlocks: number;
}

/** What the model server has room for on this hardware, and otherwise by default. */
export const engineLimitsOf = (hardware: Hardware, maxBatch: number): EngineLimits => ({
  maxBatch,
  maxQueue: 1_024,
  maxBatchedTokens: 2_048,
  kvBlocks: kvBlocksOf(hardware),
});

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
}

/** What a load balancer and a clock ask of every replica at every arrival, in columns by the place of a replica. */
export interface Fleet {
  /** When something next changes by itself; infinite while idle. */
  readonly endsAt: Float64Array;
  /** Requests inside: running and waiting. */
  readonly load: Int32Array;
}

export const createFleet = (places: number): Fleet => ({
  endsAt: new Float64Array(places).fill(Number.POSITIVE_INFINITY),
  load: new Int32Array(places),
});

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
const blocksFor = (tokens: number): number => Math.ceil(tokens / blockTokens);

/** A request inside, first waiting, then reading what is known of it (prompt, and what it had written), then decoding. */
interface Member {
  readonly id: number;
  /** Tokens written until it began to decode. */
  generated: number;
  /** Tokens whose keys and values are in memory: while it decodes, as of the group's step nought. */
  computed: number;
  /** While it reads: tokens that the step under way reads. While it decodes: the group's step with which it ends. */
  share: number;
  endsAfter: number;
}

/** An empty replica at a place of a fleet. */
export function createReplica(
  times: StepTimes,
  limits: EngineLimits,
  book: RequestBook,
  { endsAt, load }: Fleet,
  place: number,
  observer: ReplicaObserver | undefined,
): Replica {
  const { maxBatch, maxQueue, maxBatchedTokens } = limits;
  assert(maxBatchedTokens > maxBatch, 'a step has room for every member of the batch and for a prompt');
  const { prompt, output } = book;
  const waiting: Member[] = [];
  // The batch, oldest first, is the decoders and then the readers. Only the last reader may have more to read than one step
  // takes, because it leaves no room for another behind it.
  const decoders: Member[] = [];
  const readers: Member[] = [];
  let freeBlocks = limits.kvBlocks;
  let busy = 0;
  let area = 0;
  let areaAt = 0;

  /** Steps that the decoders have made as a group, and the count at which the first of them ends. */
  let steps = 0;
  let nextEnd = Number.POSITIVE_INFINITY;
  /** How many decoders take a block of KV memory in step n, by n modulo the tokens of a block. */
  const hungry = new Int32Array(blockTokens);

  /** The stage under way: `left` steps of `stepMs`, the first of which began at `from`; more than one only in a run. */
  let left = 0;
  let stepMs = 0;
  let from = 0;
  let isRun = false;
  endsAt[place] = Number.POSITIVE_INFINITY;
  load[place] = 0;

  const running = (): number => decoders.length + readers.length;
  const known = ({ id, generated }: Member): number => prompt[id]! + generated;
  const phaseOf = (step: number): number => step & (blockTokens - 1);

  const changeLoad = (by: number, now: number): void => {
    area += load[place]! * (now - areaAt);
    areaAt = now;
    load[place]! += by;
  };

  function beginDecoding(member: Member): void {
    member.computed = known(member) - 1 - steps;
    member.endsAfter = steps + output[member.id]! - member.generated;
    decoders.push(member);
    hungry[phaseOf(-member.computed)]! += 1;
    nextEnd = Math.min(nextEnd, member.endsAfter);
  }

  /** Takes a decoder's blocks back. */
  function releaseDecoder({ computed }: Member): void {
    hungry[phaseOf(-computed)]! -= 1;
    freeBlocks += blocksFor(computed + steps);
  }

  /** The youngest leaves the batch; what is known of it will be read again. */
  function preempt(): void {
    const reader = readers.pop();
    const member = reader ?? decoders.pop()!;
    if (reader !== undefined) freeBlocks += blocksFor(reader.computed);
    else {
      releaseDecoder(member);
      member.generated = output[member.id]! - (member.endsAfter - steps);
      nextEnd = decoders.reduce((least, { endsAfter }) => Math.min(least, endsAfter), Number.POSITIVE_INFINITY);
    }
    member.computed = 0;
    waiting.unshift(member);
  }

  /** Starts decoding in a row where nothing else can happen; false where the next step must be looked at alone. */
  function beginRun(now: number): boolean {
    const count = decoders.length;
    if (count === 0 || readers.length > 0 || (waiting.length > 0 && count < maxBatch)) return false;
    // Every member takes a block each 16 tokens, and one for the start.
    const safe = (freeBlocks / count - 1) * blockTokens;
    if (safe < 1) return false;
    left = Math.min(nextEnd - steps, Math.floor(safe));
    stepMs = times.decode[count]!;
    from = now;
    isRun = true;
    endsAt[place] = from + left * stepMs;
    return true;
  }

  /** Takes the blocks of the next step for those in the batch, throwing out the youngest until the others fit; true if any went. */
  function makeRoom(): boolean {
    for (let preempted = false; ; preempted = true) {
      let needed = hungry[phaseOf(steps)]!;
      const reader = readers[0];
      if (reader !== undefined) {
        reader.share = Math.min(known(reader) - reader.computed, maxBatchedTokens - decoders.length);
        needed += blocksFor(reader.computed + reader.share) - blocksFor(reader.computed);
      }
      if (needed <= freeBlocks) {
        freeBlocks -= needed;
        return preempted;
      }
      preempt();
    }
  }

  function begin(now: number): void {
    if (beginRun(now)) return;
    const preempted = makeRoom();
    let budget = maxBatchedTokens - decoders.length - (readers[0]?.share ?? 0);
    while (!preempted && running() < maxBatch && budget > 0 && waiting.length > 0) {
      const member = waiting[0]!;
      member.share = Math.min(known(member), budget);
      if (blocksFor(member.share) > freeBlocks) break;
      freeBlocks -= blocksFor(member.share);
      budget -= member.share;
      readers.push(waiting.shift()!);
    }
    const count = running();
    if (count === 0) {
      endsAt[place] = Number.POSITIVE_INFINITY;
      return;
    }
    // The one token that a member got last is decoded; everything else is read.
    const isReading = readers.some(({ generated, share }) => generated === 0 || share > 1);
    const plain = times.decode[count]!;
    stepMs = isReading ? Math.max(times.prefill[maxBatchedTokens - budget]!, plain) : plain;
    left = 1;
    from = now;
    isRun = false;
    endsAt[place] = now + stepMs;
  }

  function finish(id: number, now: number): void {
    changeLoad(-1, now);
    book.doneAt[id] = now;
    observer?.finished(id, now);
  }

  /** Books `count` steps of the decoders. In a run their blocks are taken now, else they were when the step began. */
  function decode(count: number): void {
    if (isRun) {
      freeBlocks -= Math.floor(count / blockTokens) * decoders.length;
      for (let step = 0; step < count % blockTokens; step += 1) freeBlocks -= hungry[phaseOf(steps + step)]!;
    }
    steps += count;
    left -= count;
    from += count * stepMs;
    busy += count * stepMs;
    if (decoders.length > 0) observer?.tokens(stepMs, count * decoders.length);
  }

  function endDecoders(now: number): void {
    let kept = 0;
    nextEnd = Number.POSITIVE_INFINITY;
    for (let at = 0; at < decoders.length; at += 1) {
      const member = decoders[at]!;
      if (member.endsAfter === steps) {
        releaseDecoder(member);
        finish(member.id, now);
      } else {
        decoders[kept] = member;
        kept += 1;
        nextEnd = Math.min(nextEnd, member.endsAfter);
      }
    }
    decoders.length = kept;
  }

  function endReading(member: Member, now: number): void {
    member.computed += member.share;
    if (member.computed < known(member)) {
      // Of a member that had written before, the last known token is decoded, like everybody's.
      if (member.generated > 0 && known(member) - member.computed === 1) beginDecoding(member);
      else readers.push(member);
      return;
    }
    member.generated += 1;
    if (member.generated === 1) {
      book.firstAt[member.id] = now;
      observer?.firstToken(member.id, now);
    } else observer?.tokens(stepMs, 1);
    if (member.generated < output[member.id]!) beginDecoding(member);
    else {
      freeBlocks += blocksFor(member.computed);
      finish(member.id, now);
    }
  }

  function endStage(): void {
    const now = endsAt[place]!;
    decode(left);
    if (steps === nextEnd) endDecoders(now);
    if (readers.length > 0) for (const member of readers.splice(0)) endReading(member, now);
    begin(now);
  }

  return {
    submit(id, now) {
      if (waiting.length >= maxQueue + maxBatch - running()) return false;
      changeLoad(1, now);
      waiting.push({ id, generated: 0, computed: 0, share: 0, endsAfter: 0 });
      if (endsAt[place] === Number.POSITIVE_INFINITY) begin(now);
      else if (left > 1 && running() < maxBatch) {
        // The newcomer joins when the step under way ends.
        left = Math.min(left, Math.floor((now - from) / stepMs + 1e-9) + 1);
        endsAt[place] = from + left * stepMs;
      }
      return true;
    },
    advance(now) {
      while (endsAt[place]! <= now) endStage();
    },
    settle(now) {
      // The last step of a run is the stage's own to end, whatever the rounding of `now` says.
      const ended = Math.min(left - 1, Math.floor((now - from) / stepMs + 1e-9));
      if (ended > 0) decode(ended);
    },
    abandon(since, now) {
      const gone: number[] = [];
      while (waiting.length > 0) {
        const { id, generated } = waiting[0]!;
        if (generated > 0 || book.at[id]! >= since) break;
        changeLoad(-1, now);
        waiting.shift();
        gone.push(id);
      }
      return gone;
    },
    running,
    waiting: () => waiting.length,
    kvRatio: () => 1 - freeBlocks / limits.kvBlocks,
    busyMs: () => busy,
    inFlightMs(now) {
      changeLoad(0, now);
      return area;
    },
  };
}
