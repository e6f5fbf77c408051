// Bounds of the controllers, each with its reason.
import { milliseconds, minutes, seconds } from '@kubeai/units';

/** Pods created or deleted in one pass, as upstream's BurstReplicas: a runaway number of replicas cannot stall a pass. */
export const burstReplicas = 500;

/** First wait after a failed reconcile, doubled each time: the queue's rate limiter upstream starts at 5 ms, too. */
export const firstRetry = milliseconds(5);
/** Upstream waits up to 1,000 s. Here somebody sits in front of it: half a minute of silence is long. */
export const longestRetry = seconds(30);

/** A condition carries a message for people; longer ones are cut, like the API server's own limit for events. */
export const messageLength = 1024;

/** Same event, same object, within this time: counted up instead of written anew. */
export const eventFold = minutes(10);
/** How many events the recorder remembers for counting up; the oldest are forgotten first. */
export const rememberedEvents = 1_000;

/** Addresses in one EndpointSlice, as upstream's default. */
export const endpointsPerSlice = 100;

/** Pods one node takes, as the kubelet's default. */
export const podsPerNode = 110;
