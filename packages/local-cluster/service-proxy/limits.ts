// Bounds of the service proxy, each with its reason.
import { seconds } from '@kubeai/units';

/** An endpoint on this machine that has not answered a connect for so long is given up; the next one is tried. */
export const connectTimeout = seconds(2);
/** Endpoints tried for one connection before it is reset: more refusals than that is no accident of a rollout. */
export const connectAttempts = 8;
/** Connections waiting to be accepted, for each Service port. */
export const backlog = 511;
/** A Service address that could not be listened on is tried again after this. */
export const listenRetry = seconds(30);
