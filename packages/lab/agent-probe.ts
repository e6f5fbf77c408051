// The agent beside a simulated replica: the real protocol's reports with the real sketches, one a second, from a fraction of
// it that is each agent's own, and one at once when the load jumps, as the real agent judges it.
import { createLoadJump, type Report } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import type { Replica, ReplicaObserver, RequestBook } from './replica.ts';

export interface AgentProbe extends ReplicaObserver {
  /** A request has begun, `inFlight` with it; a report may be due earlier by it. */
  started(inFlight: number, now: number): void;
  refused(): void;
  aborted(): void;
  /** When the next report is due. */
  readonly dueAt: number;
  /** The report of what passed since the last one; the next one begins. The replica has been played until `now`. */
  report(engine: Replica, now: number): Report;
}

const everyMs = 1_000;

/**
 * @param now     when the pod serves
 * @param phaseMs when within each second it reports
 */
export function createAgentProbe(uid: string, book: RequestBook, now: number, phaseMs: number): AgentProbe {
  const latency = createSketch();
  const firstToken = createSketch();
  const interToken = createSketch();
  const jump = createLoadJump(now);
  let regularAt = now + phaseMs;
  let dueAt = regularAt;
  let sequence = 0;
  let since = now;
  let areaMs = 0;
  let started = 0;
  let finished = 0;
  let refused = 0;
  let aborted = 0;
  let promptTokens = 0;
  let generatedTokens = 0;
  return {
    started(inFlight, now) {
      started += 1;
      if (!jump.began(inFlight, started)) return;
      const wait = jump.tellIn(now);
      if (wait !== undefined) dueAt = Math.min(dueAt, now + wait);
    },
    refused: () => {
      refused += 1;
    },
    aborted: () => {
      aborted += 1;
    },
    firstToken(request, now) {
      firstToken.record(now - book.at[request]!);
      generatedTokens += 1;
    },
    tokens(gapMs, times) {
      interToken.record(gapMs, times);
      generatedTokens += times;
    },
    finished(request, now) {
      latency.record(now - book.at[request]!);
      promptTokens += book.prompt[request]!;
      finished += 1;
    },
    get dueAt() {
      return dueAt;
    },
    report(engine, now) {
      engine.settle(now);
      const waiting = engine.waiting();
      const inFlight = engine.running() + waiting;
      const area = engine.inFlightMs(now);
      const windowMs = Math.max(1, Math.round(now - since));
      const concurrency = now > since ? (area - areaMs) / (now - since) : inFlight;
      const first = firstToken.encode();
      const report: Report = {
        version: 1,
        run: uid,
        sequence,
        ageMs: 0,
        windowMs,
        pod: { namespace: 'lab', name: uid, uid },
        traffic: {
          inFlight,
          waitingFirstByte: waiting,
          concurrency,
          started,
          finished: { ...(finished > 0 ? { '2xx': finished } : {}), ...(refused > 0 ? { '4xx': refused } : {}) },
          failed: 0,
          aborted,
          rejected: 0,
          ...(finished > 0 ? { promptTokens } : {}),
          generatedTokens,
          latencyMs: latency.encode(),
          timeToFirstByteMs: first,
          timeToFirstTokenMs: first,
          interTokenMs: interToken.encode(),
          unobservedConnections: 0,
        },
        ...(jump.seen ? { jumped: true as const } : {}),
        queue: { length: waiting, source: 'engine' },
        engine: { name: 'vllm', ageMs: 0, waiting, running: engine.running(), kvCacheRatio: engine.kvRatio() },
        absent: { gpu: 'NotSupported' },
      };
      const heldIn = jump.told(report.traffic, windowMs, now) ?? Number.POSITIVE_INFINITY;
      while (regularAt <= now) regularAt += everyMs;
      dueAt = Math.min(regularAt, now + heldIn);
      sequence += 1;
      since = now;
      areaMs = area;
      started = 0;
      finished = 0;
      refused = 0;
      aborted = 0;
      promptTokens = 0;
      generatedTokens = 0;
      latency.clear();
      firstToken.clear();
      interToken.clear();
      return report;
    },
  };
}
