// Every bound and every span of the decision, with its reason.
import { type Milliseconds, milliseconds, minutes, seconds } from '@kubeai/units';

export const limits = {
  /** An agent reports each second; five silent seconds are no hiccup any more. */
  staleAfter: seconds(5) as Milliseconds,
  /** After this the last value says nothing about now. */
  lostAfter: seconds(15) as Milliseconds,
  /** A report that has not come after this is late, and what it will tell is taken to be what the last one told. */
  reportIsLate: milliseconds(1_200) as Milliseconds,
  /** Of what several late reports tell, so much counts as come now. */
  toldAtOnce: seconds(2) as Milliseconds,
  /** Prometheus samples are as old as its scrape interval; four default scrapes may be missed. */
  externalStaleAfter: seconds(60) as Milliseconds,
  externalLostAfter: minutes(5) as Milliseconds,
  /** A clock of another machine may run ahead by this much before its timestamps are not believed. */
  futureTolerance: seconds(30) as Milliseconds,

  /** A load step is looked at before the next tick, but not more often than this for one policy. */
  betweenLooks: milliseconds(50) as Milliseconds,
  /** Shares of a tick: a report is worth the next look after the first, and without reports the next look comes after the second. */
  nearlyTick: 0.8,
  overTick: 1.2,
  /** For so long after a step each report is looked at as it comes. */
  stepLasts: seconds(5) as Milliseconds,
  /** A pod that has not reported for this long carries nothing any more. */
  goneAfter: minutes(1) as Milliseconds,

  /** Share of the serving pods that must have reported before anything shrinks. */
  quorum: 0.8,
  /** Survivors of a shrink are filled to at most this share of the target, so that noise does not buy a replica back. */
  survivorHeadroom: 0.9,
  /** A pod without a request for this long is idle. */
  idleAfter: seconds(5) as Milliseconds,

  /** Fast and slow mean of whatever pods measure; a burst is seen in the fast one. */
  fastMean: seconds(3) as Milliseconds,
  slowMean: seconds(60) as Milliseconds,
  burstMean: seconds(6) as Milliseconds,
  /** What has been in flight for longer than an answer takes, and for this long, is no chance and no single batch. */
  jumpHolds: milliseconds(200) as Milliseconds,
  /** Requests over which their tokens are averaged, for single ones differ much. */
  requestsOfMean: 100,
  /** Percentiles cover the last two to three buckets. */
  latencyBucket: seconds(5) as Milliseconds,
  latencyBuckets: 3,

  /** How often a look teaches: what is averaged over looks is so over seconds. */
  lesson: seconds(1) as Milliseconds,

  /** Until a start was seen, a replica gets this long to serve: a large model from a cold node. */
  startupGuess: minutes(5) as Milliseconds,
  /** A starting replica counts as capacity until this multiple of the learned 90th percentile. */
  startupPatience: 1.5,
  startupSamples: 16,
  /** Longer ones are readiness that came and went, not starts. */
  startupCeiling: minutes(60) as Milliseconds,
  /** With starts of this length all that a policy tolerates may be lacking of work, and as much less as they take longer: what is tolerated is
   * lacking until replicas serve that are asked for later. */
  toleratedStart: seconds(90) as Milliseconds,
  /** Replacements bought for replicas that will not come, as a share of what is needed. */
  replacementShare: 0.25,
  /** After we were away ourselves, replicas are believed to be lost only now: nodes that an API server had not heard of either tell it
   * of their pods within some ten seconds, at most half a minute. */
  lostAfterAbsence: minutes(1) as Milliseconds,

  /** After growth, this long at least until in-flight requests are believed to be backlog and not demand. */
  growthTrust: seconds(3) as Milliseconds,
  /** How long a backlog may take to drain after the last replica came, before it counts as demand again: as long as it
   * took to pile up, which is a start-up, within these bounds. */
  drainAtLeast: seconds(6) as Milliseconds,
  drainAtMost: minutes(3) as Milliseconds,
  /** Replicas are bought to work off a backlog within so many start-ups. It piled up within one, so this bounds what they
   * add to a growth: a fifth. */
  drainStartups: 5,
  /** Starts within which work that waits is worked off: as long as it took to pile up. Until then slow first tokens ask for replicas by how slow
   * they are, which is more. */
  workedOffIn: 1,
  /** Replicas that share the work for this long have found their pace. */
  settledAfter: seconds(10) as Milliseconds,
  /** A pod is full when this many wait for nearly two seconds of reports, while as many as before, give or take this share,
   * are served. Newcomers wait for the step under way too, but not for long and not several at a time. */
  fullQueue: 2,
  fullFor: milliseconds(1_800) as Milliseconds,
  sameCrowd: 0.05,
  /** Looks at full replicas over which what tokens cost them beyond the usual is averaged … */
  fullMean: 30,
  /** … and of those that have been full for so long: what was begun before has left by then. */
  longFull: seconds(10) as Milliseconds,
  /** A quiet look's share of what full replicas showed: half of it is left after two hours. */
  extraFade: 0.9999,
  /** Looks at full replicas over which fewer places than before are believed: long prompts keep places empty too. */
  placesMean: 1_000,
  /** Quiet looks that steps are learned from: an hour of them has seen more than one mix of prompts and answers. */
  stepLooks: 3_600,
  /** A load this much above what a replica was seen to carry is safe to try; more could double it. */
  safeStep: 1.5,
  /** A size that held for this long is halved even so: caution must not freeze a fleet that is too large for ever. */
  boldAfter: minutes(30) as Milliseconds,
  boldStep: 2,
  /** A shrink that has to be taken back within this time, at no more load, was wrong and is not tried again … */
  regretSpan: minutes(10) as Milliseconds,
  /** … for this long, or until the load is lower. */
  regretHolds: minutes(360) as Milliseconds,
  /** Latency proposals without a learned curve grow by at most this factor. */
  unlearnedGrowth: 2,
  /** Samples of a second each, before a curve is believed. */
  curveSamples: 20,
  curveBins: 8,
  /** Where the promise cannot be kept, the next best: this multiple of what an idle replica takes. */
  infeasibleSlowdown: 1.5,

  /** Work is remembered by minute, for an hour and a half: bursts that come each hour are known the second time. */
  levelMinute: minutes(1) as Milliseconds,
  levelMinutes: 90,
  /** Minutes over which it is averaged how far work rises within a start: as long as chance is. */
  driftMinutes: 30,
  /** Minutes at least by which a climb is known: of two, one is the jump that a burst begins with. */
  climbMinutes: 3,
  /** Looks over which the peak of a minute is averaged: who has twice the work for a quarter of a minute waits longer than the two seconds
   * that are promised, and the mean of a minute does not show it. */
  peakMean: 15,
  /** Looks over which the usual work and its spread are averaged. */
  usualMean: 60,
  spreadMean: 1_800,
  /** Mean deviations of work that room is kept for: of a normal one, about two and a half standard deviations. What goes
   * beyond is a burst, for which those of late keep room. */
  spreadTimes: 3,
  /** Of these, so many may always be lacking before replicas are asked for: a third of the room is kept. */
  spreadTolerated: 2,
  /** Mean deviations by which a burst is taken to be smaller than it looks: more, and true bursts are met late. */
  burstDoubt: 0.5,
  /** What lasts for more starts than this is no burst: most of it is served by replicas that are asked for when it begins. */
  burstStarts: 2,
  /** From a rise to the replica that is asked for because of it. */
  reaction: seconds(15) as Milliseconds,
  /** Until a full replica was seen, a fleet is tried at this much more load at a time: the last step goes beyond full by as much at most,
   * and its misses last for a start. */
  learningStep: 1.08,

  /** Distinct recommendations kept a direction; more are folded together, against change. */
  recommendations: 20,
  /** Size changes kept; older ones of the same period are added up. */
  scaleEvents: 20,
  namedEntries: 3,
  /** A gap in the decisions longer than this makes the history too short to shrink by. */
  historyGap: seconds(15) as Milliseconds,

  /** What a record may take in the status of a policy. */
  recordBytes: 8 * 1024,
} as const;
