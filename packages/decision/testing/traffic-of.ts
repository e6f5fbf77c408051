// Quiet traffic on four replicas, of which a test says what is different.
import type { Traffic } from '../signal.ts';

/** An answer takes four seconds. */
export const trafficOf = (inFlight: number, facts: Partial<Traffic> = {}): Traffic => ({
  inFlight,
  inFlightAssumed: 0,
  queue: 0,
  arrivalsPerSecond: inFlight / 4,
  arrivalsNow: inFlight / 4,
  completionsPerSecond: inFlight / 4,
  rising: false,
  draining: false,
  steady: true,
  saturated: false,
  meanLatencyMs: 4_000,
  promptTokensPerSecond: 0,
  generatedTokensPerSecond: 0,
  idle: false,
  measured: 4,
  silent: 0,
  ...facts,
});
