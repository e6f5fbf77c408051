// Every bound of the model server that a flag does not set, with its reason.
import { type Milliseconds, seconds } from '@kubeai/units';

/** A prompt of 16,384 tokens is 64 KB; ten times that leaves room for odd tokenisers, and a body cannot fill memory. */
export const maxBodyBytes = 1_048_576;

/** What one slow reader may leave unread before its answer is given up: 4,000 tokens' worth of events. */
export const maxUnreadBytes = 1_048_576;

/** Connections at once: above the deepest queue one sensibly asks for, below the usual limit of open files. */
export const maxConnections = 8_192;

/** After SIGTERM new connections are still taken this long, because balancers hear of the end a little later. */
export const lingerAfterTerm: Milliseconds = seconds(2);

/** Spare time beyond --drain-seconds before the process ends by force. */
export const drainGrace: Milliseconds = seconds(2);
