// What an agent does about a controller that is gone: it keeps its reports of the last minute, and comes back with jitter.
import { type Milliseconds, milliseconds } from '@kubeai/units';
import { firstReconnectDelay, longestReconnectDelay, maxKeptReports, maxReportAgeMs } from './limits.ts';

/**
 * Doubling, and anywhere in its upper half: agents that lost one controller do not come back as one.
 * @param attempts that failed in a row
 * @param chance   0 to 1
 */
export const reconnectDelay = (attempts: number, chance: number): Milliseconds =>
  milliseconds(Math.min(longestReconnectDelay, firstReconnectDelay * 2 ** attempts) * (0.5 + chance / 2));

/** Of reports that were not acknowledged, oldest first, those that are still worth sending. */
export function worthSending<Kept extends { readonly closedAt: number }>(kept: Kept[], now: number): Kept[] {
  const first = kept.findIndex(({ closedAt }) => now - closedAt < maxReportAgeMs);
  if (first === -1) return [];
  const from = Math.max(first, kept.length - maxKeptReports);
  return from === 0 ? kept : kept.slice(from);
}
