// Chance alone must not scale. Requests that come and go by chance, agents that tell of what looks like a jump, and a
// controller that looks each second and whenever a jump is told: in minutes of it the size changes once at most.
import { expect, test } from '@jest/globals';
import { createLoadJump } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import { instant } from '@kubeai/units';
import { decide } from './decide.ts';
import { emptyHistory } from './history.ts';
import { ledgerOf } from './ledger.ts';
import { createSignalFold } from './signal-fold.ts';
import { policyOf } from './testing/policy-of.ts';
import { podOf, reportOf } from './testing/report-of.ts';

const epoch = 1_700_000_000_000;
const minute = 60_000;

/** Sizes that were set, and jumps told, in some minutes of a steady load of which each pod has `load` in flight on average. */
function play(options: { load: number; answerMs: number; pods: number; batch: number; minutes: number; seed: number }) {
  const { load, answerMs, batch, minutes, seed } = options;
  let state = seed;
  const uniform = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const policy = policyOf({ metrics: { concurrency: { targetPerReplica: 1.25 * load } }, maxReplicas: 50 });
  const fold = createSignalFold(policy);
  let history = emptyHistory(options.pods, instant(epoch));
  let replicas = options.pods;
  let changes = 0;
  let jumps = 0;
  const pods = Array.from({ length: options.pods }, (_, index) => {
    const name = `pod-${index}`;
    return {
      facts: podOf(name, instant(epoch - 10 * minute)),
      jump: createLoadJump(0),
      ends: [] as number[],
      nextAt: 0,
      since: 0,
      area: 0,
      touched: 0,
      started: 0,
      latency: createSketch(),
      sequence: 0,
      regularAt: (1_000 * index) / options.pods,
      earlyAt: Number.POSITIVE_INFINITY,
    };
  });
  type Pod = (typeof pods)[number];
  const settle = (pod: Pod, now: number): void => {
    pod.area += pod.ends.length * (now - pod.touched);
    pod.touched = now;
  };
  const look = (now: number): void => {
    const facts = pods.map((pod) => pod.facts);
    const folded = fold.fold(facts, instant(epoch + now));
    const ledger = ledgerOf(replicas, facts, history, instant(epoch + now));
    const decided = decide(policy, { replicas, ledger, ...folded }, history, instant(epoch + now));
    history = decided.history;
    if (decided.decision.replicas !== replicas) changes += 1;
    replicas = decided.decision.replicas;
  };
  const tell = (pod: Pod, now: number): void => {
    settle(pod, now);
    const windowMs = Math.max(1, now - pod.since);
    const concurrency = pod.area / windowMs;
    const base = reportOf(pod.facts.name, pod.sequence, { concurrency });
    const traffic = {
      ...base.traffic,
      inFlight: pod.ends.length,
      concurrency,
      started: pod.started,
      latencyMs: pod.latency.encode(),
    };
    const { seen } = pod.jump;
    if (seen) jumps += 1;
    fold.accept({ ...base, windowMs, traffic, ...(seen ? { jumped: true as const } : {}) }, instant(epoch + now));
    pod.earlyAt = now + (pod.jump.told(traffic, windowMs, now) ?? Number.POSITIVE_INFINITY);
    pod.sequence += 1;
    pod.since = now;
    pod.area = 0;
    pod.started = 0;
    pod.latency.clear();
    if (seen || pod === pods[0]) look(now);
  };
  for (let now = 0; now < minutes * minute; now += 5) {
    for (const pod of pods) {
      if (pod.ends.some((end) => end <= now)) {
        settle(pod, now);
        pod.ends.splice(0, pod.ends.length, ...pod.ends.filter((end) => end > now));
      }
      while (pod.nextAt <= now) {
        for (let each = 0; each < batch; each += 1) {
          settle(pod, now);
          const takes = answerMs * (0.5 + uniform());
          pod.ends.push(now + takes);
          pod.latency.record(takes);
          pod.started += 1;
          if (!pod.jump.began(pod.ends.length, pod.started)) continue;
          pod.earlyAt = Math.min(pod.earlyAt, now + (pod.jump.tellIn(now) ?? Number.POSITIVE_INFINITY));
        }
        pod.nextAt += (-Math.log(uniform()) * answerMs * batch) / load;
      }
      if (pod.regularAt <= now || pod.earlyAt <= now) {
        while (pod.regularAt <= now) pod.regularAt += 1_000;
        tell(pod, now);
      }
    }
  }
  return { changes, jumps };
}

test.each([
  { load: 4, answerMs: 50, pods: 2, batch: 1 },
  { load: 4, answerMs: 200, pods: 2, batch: 1 },
  { load: 2, answerMs: 200, pods: 4, batch: 1 },
  { load: 10, answerMs: 2_000, pods: 2, batch: 1 },
  // Somebody asks for several things at a time.
  { load: 4, answerMs: 200, pods: 2, batch: 3 },
])(
  'a steady load of $load by $answerMs ms in batches of $batch changes the size of $pods pods once at most',
  (steady) => {
    let jumps = 0;
    for (const seed of [11, 12_345]) {
      const told = play({ ...steady, minutes: 5, seed });
      expect(told.changes).toBeLessThanOrEqual(1);
      jumps += told.jumps;
    }
    // Else this has shown nothing: agents did take chance for a jump.
    if (steady.answerMs <= 200) expect(jumps).toBeGreaterThan(0);
  },
);
