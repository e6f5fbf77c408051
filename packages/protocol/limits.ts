// Every bound of the wire, with its reason. A report that breaks one is refused whole: half a report is a wrong number.
import { milliseconds, seconds } from '@kubeai/units';

/** Refuses reports of another shape by number, before their fields are looked at. */
export const protocolVersion = 1;

/** A real report is about 1 kB, with three full sketches and eight GPUs 12 kB. */
export const maxReportBytes = 64 * 1024;

/** Acknowledgements are answers of one short sentence. */
export const maxAcknowledgementBytes = 4 * 1024;

/** An agent keeps 60 s for replay; half as much again allows for a slow start of the connection. */
export const maxReportAgeMs = 90_000;

/** A window is a second, or less when the load jumps; an agent whose node was suspended says how long it slept, up to this. */
export const maxWindowMs = 600_000;

/** Older samples say nothing about now; the agent leaves them out long before. */
export const maxSampleAgeMs = 300_000;

/** Kubernetes' own bounds on names and on what a UID may look like. */
export const maxNamespaceLength = 63;
export const maxNameLength = 253;
export const maxUidLength = 128;

/** Engine names, GPU models, identifiers: what a person reads in a table. */
export const maxTextLength = 128;

/** Sixteen GPUs a node is the largest machine sold; MIG cuts eight of them into seven each. */
export const maxDevices = 64;

/** The closed list of marks has fewer entries than this. */
export const maxMarks = 16;

/** Counts beyond this are no counts of one pod's second. */
export const maxCount = Number.MAX_SAFE_INTEGER;

/** Reports kept while the controller is away: a minute of regular ones, and the early ones among them. */
export const maxKeptReports = 70;

/** A count of mean m wanders by about its root: four times that is seen once in ten minutes where answers take seconds, and
 * once in one or two where they take a fifth of one. With more, a step that a fleet shares is not seen by any of its pods … */
export const jumpDeviations = 4;
/** … and fewer than this more are no jump: they are one client's. */
export const jumpFloor = 4;
/** What is usual is the mean over so long. */
export const jumpMemory = seconds(10);
/** Clients that a step brings come within some milliseconds of one another: so long a jump is watched before it is told. */
export const jumpSettles = milliseconds(25);
/** Where answers take less, as many again in flight after this are no chance and no single batch: it is told once more whether a jump
 * has held. */
export const jumpHeld = milliseconds(300);
/** Between an early report and the one before it, so that a window is long enough to say something. */
export const earlySpacing = milliseconds(100);
/** Early reports in a row: a step that climbs is told of as it climbs … */
export const earlyBurst = 3;
/** … and after that one so often, a tenth of the regular ones: what jumps all the time is told of each second. */
export const earlyEvery = seconds(10);

/** An agent that lost the controller tries again after this, and each time after twice as long … */
export const firstReconnectDelay = milliseconds(500);
/** … up to this: a controller that comes back should not wait long for its fleet. */
export const longestReconnectDelay = seconds(10);
