// Ways to break the server on purpose, so that whatever watches it can be shown to notice. Chance is drawn from a seed:
// the same requests in the same order fail the same way again.
import type { FieldProblem, Result } from '@kubeai/units';

export interface Faults {
  /** Factor on the duration of every step; 1 is healthy. */
  readonly slow: number;
  /** Requests are taken in and never answered; /health goes on answering, as it does in a stuck engine. */
  readonly hang: boolean;
  /** Share of requests answered with status 500. */
  readonly errorRate: number;
  /** Share of requests whose connection is reset in the middle of the answer. */
  readonly resetRate: number;
}

export const healthy: Faults = { slow: 1, hang: false, errorRate: 0, resetRate: 0 };

export type FaultOrder = { readonly crash: true } | { readonly crash: false; readonly faults: Faults };

type Judge = readonly [is: (value: unknown) => boolean, must: string];
const share: Judge = [(value) => isNumber(value) && value >= 0 && value <= 1, 'must be a share between 0 and 1'];
const truth: Judge = [(value) => typeof value === 'boolean', 'must be true or false'];
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

const judges: Record<keyof Faults | 'crash', Judge> = {
  slow: [(value) => isNumber(value) && value > 0 && value <= 1_000, 'must be a factor above 0, at most 1000'],
  hang: truth,
  errorRate: share,
  resetRate: share,
  crash: truth,
};

/** Reads the body of POST /admin/fault: what it names changes, what it leaves out stays as it is. */
export function parseFaultOrder(body: unknown, current: Faults): Result<FaultOrder, FieldProblem> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { ok: false, problems: [{ field: 'body', message: 'must be a JSON object such as {"slow": 3}' }] };
  }
  const problems: FieldProblem[] = [];
  for (const [field, value] of Object.entries(body)) {
    const judge = Object.hasOwn(judges, field) ? judges[field as keyof typeof judges] : undefined;
    if (judge === undefined) {
      problems.push({ field, message: `is no fault; known are ${Object.keys(judges).join(', ')}` });
    } else if (!judge[0](value)) problems.push({ field, message: judge[1] });
  }
  if (problems.length > 0) return { ok: false, problems };
  const { crash, ...changes } = body as Partial<Faults> & { crash?: boolean };
  return { ok: true, value: crash === true ? { crash } : { crash: false, faults: { ...current, ...changes } } };
}

/** Numbers in [0, 1) that follow from the seed alone (mulberry32). */
export function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
