// Every bound of a replay, with its reason.
import { type Milliseconds, seconds } from '@kubeai/units';

/** A trace is held in memory as one text, and this is the longest that Node has: some ten million requests. */
export const maxTraceBytes = 536_870_888;

/** What spans more is no trace but a unit that was mistaken: milliseconds where seconds are due. */
export const longestTrace: Milliseconds = seconds(366 * 86_400);

/** Open requests at once, each with its own connection. More are not sent but counted as tooManyInFlight. */
export const maxInFlight = 2_000;

/** A whole answer. Longer than any answer worth waiting for, shorter than a person's patience with a stuck server. */
export const defaultTimeout: Milliseconds = seconds(300);

/** What is kept of one line of a stream while its end has not come. */
export const maxLineCharacters = 1_048_576;

/** Timers are set at most this far ahead; setTimeout overflows at 2^31 ms. */
export const longestSleep: Milliseconds = seconds(3_600);
