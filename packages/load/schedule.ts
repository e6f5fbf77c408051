// Which requests of a trace are sent, and when: thinned first, then sped up, then cut short.
import { type Milliseconds, milliseconds } from '@kubeai/units';
import type { Trace, TraceRequest } from './trace.ts';

export interface ScheduleOptions {
  /** Time runs this many times faster; default 1. */
  readonly speed?: number | undefined;
  /** The share of the requests that is kept, 0 to 1; default 1. */
  readonly thin?: number | undefined;
  /** Which requests thinning keeps; default 1. */
  readonly seed?: number | undefined;
  /** At most so many requests. */
  readonly limit?: number | undefined;
  /** Nothing is sent later than this after the start, in replayed (already sped up) time. */
  readonly duration?: Milliseconds | undefined;
}

export interface ScheduledRequest extends TraceRequest {
  /** The request's number in the trace, from 0. */
  readonly row: number;
}

/**
 * The requests to send, in order, `at` counted from the start of the replay. Each request is kept or left out by
 * itself, so arrivals stay as bursty as they were; the same seed keeps the same ones, and a smaller share keeps a part
 * of what a larger one keeps.
 */
export function scheduleOf(trace: Trace, options: ScheduleOptions = {}): ScheduledRequest[] {
  const { speed = 1, thin = 1, seed = 1, limit = Number.POSITIVE_INFINITY } = options;
  const duration = options.duration ?? Number.POSITIVE_INFINITY;
  const schedule: ScheduledRequest[] = [];
  for (const [row, request] of trace.entries()) {
    const at = request.at / speed;
    if (schedule.length >= limit || at > duration) break;
    if (lotOf(row, seed) < thin) schedule.push({ ...request, row, at: milliseconds(at) });
  }
  return schedule;
}

/** A number in [0, 1) that depends on row and seed alone (the finisher of MurmurHash3). */
function lotOf(row: number, seed: number): number {
  let mixed = (row + Math.imul(seed, 0x9e3779b1)) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}
