// Lifetimes of what we sign, and how patient we are, each with its reason.
import { type Milliseconds, minutes, seconds } from '@kubeai/units';

const days = (value: number) => minutes(value * 24 * 60);

export interface Lifetimes {
  /** How long a certificate authority is valid. */
  readonly authority: Milliseconds;
  /**
   * How long a new authority is trusted before it signs, and how long an old one is still trusted after it has stopped.
   * Must be long enough for every reader of the bundle (API server, agents) to have seen it.
   */
  readonly overlap: Milliseconds;
  /** How long a serving certificate is valid; it is replaced when a third of that is left. */
  readonly serving: Milliseconds;
  /** How often the Secret is read again. */
  readonly check: Milliseconds;
}

/** A year, a month and ten days: none needs a person, and each leaves days for an outage of the API server. */
export const ordinaryLifetimes: Lifetimes = {
  authority: days(365),
  overlap: days(30),
  serving: days(10),
  check: seconds(60),
};

/** Certificates begin this much in the past: clocks of nodes differ, and a certificate from the future is refused. */
export const clockSkew = minutes(5);

/** Rounds of read, change, write before giving up until the next check. Each lost round means that another replica won. */
export const maxConflicts = 10;
