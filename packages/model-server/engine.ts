// The inside of a continuous-batching inference engine, as a state that is told the time: requests wait first come,
// first served, join a bounded batch at a step boundary, and every step gives each member its next token. Scheduling
// follows vLLM v1: one budget of tokens a step, decoding members first, long prompts read in chunks, blocks of KV
// memory taken as tokens come, and the youngest member thrown out (to be read again later) when the memory is full.
// It knows no clock and no socket: engine-loop.ts advances it in real time, tests and simulations in virtual time.
import assert from 'node:assert';
import { after, type Instant, type Milliseconds } from '@kubeai/units';
import type { ServiceTimes } from './service-times.ts';

export interface EngineConfig {
  readonly times: ServiceTimes;
  /** Sequences in a step at most. */
  readonly maxBatch: number;
  /** Requests waiting at most. */
  readonly maxQueue: number;
  /** Tokens in a step at most: long prompts are read in chunks of what is left of it. */
  readonly maxBatchedTokens: number;
  /** KV memory, in blocks of `blockTokens` tokens. */
  readonly kvBlocks: number;
  readonly blockTokens: number;
  /** Divides every duration. */
  readonly speed: number;
}

export interface SequenceRequest {
  readonly promptTokens: number;
  /** Always generated to the last one, as with ignore_eos. */
  readonly maxTokens: number;
}

/** One request on its way through the engine. `scheduledAt` is absent while it has never been in a step. */
export interface Sequence extends SequenceRequest {
  readonly arrivedAt: Instant;
  readonly scheduledAt?: Instant | undefined;
  readonly firstTokenAt?: Instant | undefined;
  readonly lastTokenAt?: Instant | undefined;
  readonly generated: number;
}

export interface Emission {
  readonly sequence: Sequence;
  /** When this sequence's previous token came; absent on the first. */
  readonly previousTokenAt: Instant | undefined;
  readonly finished: boolean;
}

export interface Step {
  readonly endedAt: Instant;
  /** Tokens computed in it: prompt chunks, and one for each decoding sequence. */
  readonly tokens: number;
  readonly emissions: readonly Emission[];
}

export interface EngineState {
  readonly running: number;
  readonly waiting: number;
  readonly kvUsage: number;
  readonly preemptions: number;
}

export interface Engine {
  /** Takes a request in, or says why not. `tooLong`: it could never fit the KV memory, even alone. */
  submit(request: SequenceRequest, now: Instant): Sequence | 'queueFull' | 'tooLong';
  /** Forgets a sequence whose client went away. Its blocks are free at once; a step under way runs on without it. */
  cancel(sequence: Sequence, now: Instant): void;
  /** When the step under way ends; undefined while idle or hung. */
  nextStepEnd(): Instant | undefined;
  /** Completes every step that ends until `now`, in order; each next step begins where the one before ended. */
  advance(now: Instant): Step[];
  /** Factor on the duration of every step that begins from now on; 1 is healthy. */
  slowDown(factor: number): void;
  /** A hung engine takes requests in and completes nothing; freed, it takes up the step it was in. */
  hang(hung: boolean, now: Instant): void;
  state(): EngineState;
}

/** The same sequence as its engine sees it. */
interface Member extends Sequence {
  scheduledAt: Instant | undefined;
  firstTokenAt: Instant | undefined;
  lastTokenAt: Instant | undefined;
  generated: number;
  /** Tokens whose keys and values are in memory. */
  computed: number;
  blocks: number;
  gone: boolean;
}

interface Share {
  readonly member: Member;
  readonly tokens: number;
}

interface StepUnderWay {
  readonly endsAt: Instant;
  readonly shares: readonly Share[];
  readonly tokens: number;
}

export function createEngine(config: EngineConfig): Engine {
  assert(config.maxBatch > 0 && config.maxBatchedTokens >= config.maxBatch, 'a step has room for every batch member');
  const { times, blockTokens, speed } = config;
  const running: Member[] = [];
  const waiting: Member[] = [];
  let freeBlocks = config.kvBlocks;
  let preemptions = 0;
  let slow = 1;
  let hungSince: Instant | undefined;
  let step: StepUnderWay | undefined;

  const blocksFor = (tokens: number) => Math.ceil(tokens / blockTokens);
  const known = (member: Member) => member.promptTokens + member.generated;

  function release(member: Member): void {
    freeBlocks += member.blocks;
    member.blocks = 0;
    member.computed = 0;
  }

  function take(member: Member, tokens: number): boolean {
    const more = blocksFor(member.computed + tokens) - member.blocks;
    if (more > freeBlocks) return false;
    freeBlocks -= more;
    member.blocks += more;
    return true;
  }

  /** Throws out the youngest until the member has its blocks; false when the member itself had to go. */
  function makeRoom(member: Member, tokens: number): boolean {
    while (!take(member, tokens)) {
      const victim = running.pop()!;
      release(victim);
      waiting.unshift(victim);
      preemptions += 1;
      if (victim === member) return false;
    }
    return true;
  }

  function shareStep(now: Instant): Share[] {
    const shares: Share[] = [];
    const preemptedBefore = preemptions;
    let budget = config.maxBatchedTokens;
    for (let index = 0; index < running.length && budget > 0; index += 1) {
      const member = running[index]!;
      const tokens = Math.min(known(member) - member.computed, budget);
      if (!makeRoom(member, tokens)) break;
      budget -= tokens;
      shares.push({ member, tokens });
    }
    // Who was just thrown out must not walk straight back in and throw out the next.
    if (preemptions > preemptedBefore) return shares;
    while (running.length < config.maxBatch && budget > 0) {
      const member = waiting[0];
      if (member === undefined) break;
      const tokens = Math.min(known(member), budget);
      if (!take(member, tokens)) break;
      waiting.shift();
      running.push(member);
      member.scheduledAt ??= now;
      budget -= tokens;
      shares.push({ member, tokens });
    }
    return shares;
  }

  /** Prompt chunks and decoding members share one pass; it costs its tokens, and never less than its decoding. */
  function durationOf(shares: readonly Share[], tokens: number): Milliseconds {
    const decode = times.decodeMs(shares.length);
    // A decoding member computes the one token it got last; everything else is reading.
    const reading = shares.some(({ member, tokens }) => member.generated === 0 || tokens > 1);
    const measured = reading ? Math.max(times.prefillMs(tokens), decode) : decode;
    return ((measured * slow) / speed) as Milliseconds;
  }

  function begin(now: Instant): void {
    const shares = shareStep(now);
    if (shares.length === 0) {
      step = undefined;
      return;
    }
    const tokens = shares.reduce((sum, share) => sum + share.tokens, 0);
    step = { endsAt: after(now, durationOf(shares, tokens)), shares, tokens };
  }

  function complete({ endsAt, shares, tokens }: StepUnderWay): Step {
    const emissions: Emission[] = [];
    for (const share of shares) {
      const { member } = share;
      if (member.gone) continue;
      member.computed += share.tokens;
      if (member.computed < known(member)) continue; // part of the prompt is still unread
      member.generated += 1;
      const previousTokenAt = member.lastTokenAt;
      member.firstTokenAt ??= endsAt;
      member.lastTokenAt = endsAt;
      const finished = member.generated === member.maxTokens;
      if (finished) leave(member);
      emissions.push({ sequence: member, previousTokenAt, finished });
    }
    return { endedAt: endsAt, tokens, emissions };
  }

  function leave(member: Member): void {
    member.gone = true;
    release(member);
    const line = running.includes(member) ? running : waiting;
    line.splice(line.indexOf(member), 1);
  }

  return {
    submit({ promptTokens, maxTokens }, now) {
      assert(promptTokens > 0 && maxTokens > 0, 'a request reads and writes at least one token');
      if (blocksFor(promptTokens + maxTokens) > config.kvBlocks) return 'tooLong';
      // Between steps a newcomer waits even when the batch has a place for it: that place is not the queue's.
      const placesInBatch = config.maxBatch - running.length;
      if (waiting.length >= config.maxQueue + placesInBatch) return 'queueFull';
      const member: Member = {
        promptTokens,
        maxTokens,
        arrivedAt: now,
        scheduledAt: undefined,
        firstTokenAt: undefined,
        lastTokenAt: undefined,
        generated: 0,
        computed: 0,
        blocks: 0,
        gone: false,
      };
      waiting.push(member);
      if (step === undefined) begin(now);
      return member;
    },
    cancel(sequence, now) {
      const member = sequence as Member;
      if (member.gone) return;
      leave(member);
      if (step === undefined) begin(now);
    },
    nextStepEnd: () => (hungSince === undefined ? step?.endsAt : undefined),
    advance(now) {
      const steps: Step[] = [];
      while (hungSince === undefined && step !== undefined && step.endsAt <= now) {
        const ended = step;
        steps.push(complete(ended));
        begin(ended.endsAt);
      }
      return steps;
    },
    slowDown(factor) {
      slow = factor;
    },
    hang(hung, now) {
      if (hung) hungSince ??= now;
      else if (hungSince !== undefined) {
        if (step !== undefined) step = { ...step, endsAt: Math.max(step.endsAt, now) as Instant };
        hungSince = undefined;
      }
    },
    state: () => ({
      running: running.length,
      waiting: waiting.length,
      kvUsage: 1 - freeBlocks / config.kvBlocks,
      preemptions,
    }),
  };
}
