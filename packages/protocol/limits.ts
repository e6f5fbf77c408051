// Every bound of the wire, with its reason. A report that breaks one is refused whole: half a report is a wrong number.

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
