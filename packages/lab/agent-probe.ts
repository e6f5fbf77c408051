// What the agent beside a simulated replica would report: the real protocol's reports, with the real sketches.
import type { Report } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import type { PodView } from './contender.ts';
import type { Replica, ReplicaObserver, RequestBook } from './replica.ts';

export interface AgentProbe extends ReplicaObserver {
  started(): void;
  refused(): void;
  aborted(): void;
  /** The report of the last second; the next one begins. */
  report(view: PodView, engine: Replica): Report;
}

export function createAgentProbe(uid: string, book: RequestBook): AgentProbe {
  const latency = createSketch();
  const firstToken = createSketch();
  const interToken = createSketch();
  let sequence = 0;
  let started = 0;
  let finished = 0;
  let refused = 0;
  let aborted = 0;
  let promptTokens = 0;
  let generatedTokens = 0;
  return {
    started: () => {
      started += 1;
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
    report({ inFlight, waiting, concurrency }, engine) {
      const first = firstToken.encode();
      const report: Report = {
        version: 1,
        run: uid,
        sequence,
        ageMs: 0,
        windowMs: 1_000,
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
        queue: { length: waiting, source: 'engine' },
        engine: { name: 'vllm', ageMs: 0, waiting, running: engine.running(), kvCacheRatio: engine.kvRatio() },
        absent: { gpu: 'NotSupported' },
      };
      sequence += 1;
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
