// Every bound of the Kubernetes edge, with its reason.
import { minutes, seconds } from '@kubeai/units';

/** Parallel calls to the API server; a burst of a few hundred waits its turn instead of opening as many connections. */
export const maxConnections = 16;

/** A call that has no answer by then fails; the caller's own retry is better than a socket that nobody reads. */
export const callTimeout = seconds(30);

/** One page of a list. kubectl's number: an answer of a few MB at most. */
export const pageSize = 500;

/** How long the API server holds a watch open, and how much later we take its silence for a dead connection. */
export const watchDuration = seconds(300);
export const watchSilence = seconds(330);

/** One watch event. etcd refuses objects over 1.5 MiB; JSON may be somewhat larger. */
export const maxWatchLineBytes = 8 * 1024 * 1024;

/** Waits between failed attempts of a reflector: soon enough to notice a restart, never a storm. */
export const leastBackoff = seconds(0.5);
export const mostBackoff = seconds(30);

/** What an API server can do changes when somebody installs a CRD. */
export const discoveryAge = minutes(10);
/** A kind not found is asked for again no sooner than this. */
export const discoveryRetry = seconds(15);

/** Distinct events remembered for aggregation; the oldest is forgotten, and would then be written anew. */
export const maxRememberedEvents = 1_024;
/** Events not yet written. Beyond it they are dropped and counted: the log has them too. */
export const maxPendingEvents = 256;
/** A repeat within this counts up the first event instead of writing a new one. */
export const eventAggregation = minutes(10);
/** How often one repeated event is written again at most. */
export const eventRewrite = seconds(30);
