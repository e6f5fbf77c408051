// Everything in the API server that could grow, with its bound and the reason for that number.
export const limits = {
  /** Bytes of one request: what the real server takes (3 MiB). */
  bodyBytes: 3 * 1024 * 1024,
  /**
   * Writes that a resource's watchers may fall behind before they get 410 and list again: minutes of a busy cluster. Each
   * holds its object (and its JSON, once someone watched), so this is also what bounds memory.
   */
  eventsPerResource: 1_024,
  /** Open watches in all: a controller holds ten or so, kubectl one; more is a leak. */
  watches: 2_000,
  /** Bytes waiting in one watcher's socket. A watcher that reads nothing is cut before it can hold a cluster in memory. */
  watchBacklogBytes: 8 * 1024 * 1024,
  /** Events waiting for an in-process watcher's turn: it runs in the same loop, so a backlog of this size is a bug. */
  clientBacklogEvents: 100_000,
  /** Lists being paged through; each holds references, not copies. */
  pagedLists: 32,
  /** Rounds of webhooks that may reinvoke one another: the real server does one extra round. */
  admissionRounds: 2,
  /** Bytes of a webhook's answer; a patch of a pod is a few KiB. */
  webhookAnswerBytes: 3 * 1024 * 1024,
  /** Names tried for one generateName before 409. */
  generatedNames: 8,
  /** Times a write that names no resourceVersion is tried when other writers come first. */
  patchAttempts: 5,
  /** Webhook connections kept open, per webhook. */
  webhookSockets: 32,
  /** Characters of a webhook's refusal passed on to the client. */
  webhookMessageCharacters: 4_096,
  /** Warnings on one answer; the real server cuts at 4 KiB in all. */
  warnings: 16,
} as const;
