// The bounds of a policy. Every list and string of the resource is bounded: an unbounded one would make the API server's
// cost estimate of the CEL rules refuse the whole definition, and would let one user fill the status of everyone's reads.

export const limits = {
  /** Far above any fleet of model servers, and low enough that every sum of replicas stays an exact integer. */
  replicas: 100_000,
  /** A day and a week: longer windows than these are a unit mistake (milliseconds written as seconds). */
  windowSeconds: 86_400,
  scheduleSeconds: 604_800,
  /** Ten hours, in milliseconds: batch requests do run for hours. */
  latencyMs: 36_000_000,
  /** HPA allows any number; nobody has been seen with more than three. */
  scalingPolicies: 10,
  customMetrics: 10,
  scheduleEntries: 20,
  /** A name in Kubernetes (RFC 1123 subdomain). */
  nameLength: 253,
  /** PromQL with recording-rule-like joins stays under 1 KiB; 4 KiB leaves room. */
  queryLength: 4_096,
  urlLength: 2_048,
  secretKeyLength: 253,
  /** Kept in status for people; the journal keeps the rest. */
  decisions: 20,
  signals: 32,
  conditions: 16,
  /** One recommendation a quarter minute over an hour of window, folded: enough to restore every window after a restart. */
  recommendations: 240,
  scaleEvents: 100,
  messageLength: 1_024,
} as const;
