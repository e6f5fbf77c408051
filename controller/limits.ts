// Every bound of the controller, with its reason.
import { minutes, seconds } from '@kubeai/units';

export const limits = {
  /** Agents connected at once; the next one is refused and comes back later. Twice the fleet we measure with. */
  agents: 20_000,
  /** Sockets of agents: those connected, and those who wait for their handshake. */
  sockets: 25_000,
  /** Handshakes begun a second, of those who wait. One costs 0.6 ms of CPU and a TokenReview: more would only pile up, and
   * ten thousand agents are back within nine seconds (bench:ingest). */
  handshakesPerSecond: 1_250,
  /** A session is resumed for so long: a connection ends with its token, within an hour, and the controller may be away for as long. */
  session: minutes(120),
  /** Handshakes under way: until one is made it holds OpenSSL's state and buffers of ours, several times what an agent does. */
  handshakes: 500,
  /** Read of a connection at once: what an agent kept for a minute, in a few times. */
  readBytes: 64 * 1024,
  /** What an agent says before its handshake begins: the greatest ClientHello, with keys against quantum computers, is half of it. */
  helloBytes: 4_096,
  /** Until that is said, and from the begin of the handshake to the last of the request: longer than a busy agent and a lost packet take. */
  greeting: seconds(5),
  /** From our last word to an agent until its connection is cut, if it does not close it. */
  farewell: seconds(2),
  /** TokenReviews under way at once: after a restart of the controller every agent comes at the same time. */
  tokenReviews: 32,
  /** Those that wait behind them; beyond it an agent is told to come back. */
  waitingTokenReviews: 20_000,
  /** Remembered answers, one a token. */
  rememberedTokens: 40_000,
  /** A token refused is not asked about again this soon. */
  refusedTokenFor: seconds(10),
  /** A token that does not tell its end is asked about again. */
  unknownTokenLife: minutes(5),
  /** A good token is not asked about again this soon, whatever our own clock makes of its end. */
  leastTokenTrust: minutes(1),
  /** Asked about again at the latest, so that a revoked token does not live on. */
  longestTokenTrust: minutes(60),
  /** An agent sends one report a second, and after a reconnect the last minute at once. */
  reportBurst: 120,
  reportsPerSecond: 5,
  /** Refusals in a row after which a connection is no agent's. */
  refusalsInARow: 20,
  /** An agent that says nothing for so long is gone; its next connection is welcome. */
  silence: seconds(60),
  /** A pod that the API server has not told us about yet. Its token proves that it exists, so we wait a little. */
  unknownPodFor: seconds(15),
  /** Acknowledgements are written together this often: a write costs more than the report it answers (bench:ingest). An
   * agent keeps reports for a minute, and takes a connection for lost after 15 s without an answer. */
  answerEvery: seconds(4),
  /** Acknowledgements that an agent does not read. It is cut rather than buffered for. */
  unreadBytes: 256 * 1024,

  /** Policies worked on at once: each waits for the API server now and then. */
  workers: 16,

  /** Status is written at once when a size, a condition or the spec changes; for a mere change of reason or of a state
   * not sooner than this after the last write … */
  statusReason: seconds(30),
  /** and only when they have held so long: noise makes them flicker. */
  statusSteady: seconds(10),
  /** … and for values that have moved on not sooner than this. */
  statusValues: minutes(5),
  /** A value has moved on when it differs by this share of the written one. */
  statusDrift: 0.25,

  /** A condition is announced by an Event once it has held so long. */
  announceAfter: seconds(10),

  /** How often pods without an agent are looked for, and how soon one restart may follow another in the whole cluster. */
  repairEvery: seconds(5),
  repairPause: seconds(5),
  /** While new pods are missed by the webhook, one restart is tried after this; twice as long after each that was in vain … */
  repairTrial: minutes(1),
  /** … up to this. */
  longestRepairTrial: minutes(10),
  /** A pod that came of a restart and was missed again is left alone so long, twice as long after each restart more … */
  repairRest: minutes(10),
  /** … up to this: what the webhook does not mark even when it is there must not be restarted for ever. */
  longestRepairRest: minutes(24 * 60),
  /** A pod whose eviction was refused (a PodDisruptionBudget) is left alone so long. */
  repairRefused: minutes(1),

  /** One journal file; one older file is kept beside it. */
  journalBytes: 32 * 1024 * 1024,
  /** Lines not yet on disk. Beyond it they are dropped and counted. */
  journalPending: 2_048,
  /** A decision like the one before is journalled this often. */
  journalRepeat: seconds(60),

  /** Policies whose course the dashboard can draw; of more it knows the present only. */
  trails: 200,
  /** What it keeps of each: a point a second. */
  trailPoints: 900,
  /** Scale events it keeps of each policy. */
  trailEvents: 100,
  /** Policies that one answer of the API or the dashboard shows. */
  shownPolicies: 500,
  /** Browsers that watch at once. */
  watchers: 64,
  /** A browser that does not read is let go rather than buffered for. */
  watcherBytes: 4 * 1024 * 1024,

  /** A scale read through the subresource is read again after this; Deployments and StatefulSets are watched instead. */
  scaleAge: seconds(5),
  /** Scales remembered so; the oldest is forgotten and read again when needed. */
  polledScales: 10_000,

  /** Prometheus queries under way at once, over all policies. */
  queries: 32,
  /** An answer of one number is never longer than this. */
  queryBytes: 1024 * 1024,

  /** Nor is a plugin's. */
  pluginBytes: 64 * 1024,
} as const;
