// Every bound of the webhook, with its reason.
import { seconds } from '@kubeai/units';

/** The API server sends at most 3 MiB; anything longer is no admission review. */
export const maxBodyBytes = 3 * 1024 * 1024;
/** The API server gives up after 3 s; whoever is slower than this is not the API server. */
export const bodyDeadline = seconds(10);
/** An API server opens a few dozen connections, several replicas of it a few hundred. */
export const maxConnections = 2_048;

/** A pod with more is refused by nobody, but run by nobody either; without a bound one review could hold up all others. */
export const maxContainers = 256;

/** Looking around before warning of a policy: the answer is due in 3 s, with or without warnings. */
export const surroundingsDeadline = seconds(1);
/** Policies and autoscalers of one namespace that are looked at. */
export const maxNeighbours = 500;

/** How long requests in flight may take to end at a shutdown. */
export const drainDeadline = seconds(10);
/** Until every node has noticed that this endpoint is leaving. */
export const unreadyBefore = seconds(3);

/** A warning is shown by kubectl in one line; the API server cuts at 256 characters and 4 KiB in all. */
export const maxWarningLength = 256;
export const maxWarnings = 16;

/** A webhook configuration that cannot be patched (not installed yet, no permission) is tried again. */
export const bundleRetry = seconds(10);
