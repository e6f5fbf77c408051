// Bounds of the kubelet, each with its reason.
import { milliseconds, minutes, seconds } from '@kubeai/units';

/**
 * The first wait before a crashed container is started again; doubled with every crash. A real kubelet begins with 10 s.
 * Here a person or a test watches a rehearsal, so it is a second; set it to 10 s to rehearse real waits.
 */
export const firstRestartWait = seconds(1);
/** As in a real kubelet. */
export const longestRestartWait = minutes(5);
/** A container that has run for so long is forgiven its crashes, as in a real kubelet (twice the longest wait). */
export const forgivenAfter = minutes(10);

/** Between SIGTERM and SIGKILL there is at least this, however long preStop took: a real kubelet's minimum. */
export const leastGrace = seconds(2);
/** How long the output of a process that has ended may stay open, held by a child of it, before we stop reading. */
export const lastWords = milliseconds(500);

/** One file of a container's log, as containerLogMaxSize. The file before it is kept; older output is dropped. */
export const logFileBytes = 10 * 1024 * 1024;
/** Output waiting to be written before the container's pipe is no longer read, so that it slows down like a real one. */
export const logBacklogBytes = 1024 * 1024;
/** A longer line is stored in pieces, as container runtimes do. */
export const logLineBytes = 16 * 1024;

/** Bytes of a probe's answer that are read; the rest is discarded, as in a real kubelet. */
export const probeBodyBytes = 10 * 1024;
/** Bytes of an exec probe's output that go into its event. */
export const probeOutputBytes = 4 * 1024;

/** Missing volumes and configuration are looked for again after this. */
export const setUpRetry = seconds(1);
/** A projected token is renewed at this share of its life, as in a real kubelet. */
export const tokenRenewal = 0.8;
/**
 * Blocks of 254 addresses, 127.64.0.1 to 127.64.255.254: one block a cluster, twice the pods that a node takes. A cluster
 * claims its block at the kubelet's usual port.
 */
export const podAddresses = { prefix: '127.64', blocks: 256, claimPort: 10_250 };

/** The node says that it lives this often. */
export const heartbeat = seconds(10);
/** How long a Lease is good for without one. */
export const leaseSeconds = 40;
