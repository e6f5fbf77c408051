// A figure against what the project asks of itself, and how each bench says so.

export interface Verdict {
  readonly what: string;
  /** NaN: not measured. */
  readonly value: number;
  readonly must: number;
  readonly excellent: number;
}

export function printVerdict({ what, value, must, excellent }: Verdict): void {
  const missed = Number.isNaN(value) ? 'not measured' : 'MISSED';
  const word = value <= excellent ? 'excellent' : value <= must ? 'met' : missed;
  process.stdout.write(`${word.padEnd(13)}${what}: ${value.toFixed(2)} (must ${must}, excellent ${excellent})\n`);
}

/** NaN of nothing. */
export const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
