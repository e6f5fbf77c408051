// Units as types: a number that says what it measures cannot be passed where another measure is due. The types cost
// nothing at run time. Arithmetic gives a bare number again, until someone names its unit.

declare const unit: unique symbol;
export type Unit<Name extends string> = number & { readonly [unit]: Name };

/** A span of time. */
export type Milliseconds = Unit<'Milliseconds'>;
/** A point in time on this process's own clock, in milliseconds since the epoch. Never compared across machines. */
export type Instant = Unit<'Instant'>;

export const milliseconds = (value: number): Milliseconds => value as Milliseconds;
export const seconds = (value: number): Milliseconds => (value * 1_000) as Milliseconds;
export const minutes = (value: number): Milliseconds => (value * 60_000) as Milliseconds;
export const inSeconds = (span: Milliseconds): number => span / 1_000;

export const instant = (millisecondsSinceEpoch: number): Instant => millisecondsSinceEpoch as Instant;
export const elapsed = (from: Instant, to: Instant): Milliseconds => (to - from) as Milliseconds;
export const after = (start: Instant, span: Milliseconds): Instant => (start + span) as Instant;
export const before = (end: Instant, span: Milliseconds): Instant => (end - span) as Instant;

/** What a parser at the door returns: the value, or everything that is wrong with the input. */
export type Result<Value, Problem> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** One thing wrong with an input, by the path its author wrote (`spec.maxReplicas`, `--speed`, `KUBEAI_POD_IP`). */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}
