// The decision core: reports and pods in, a number of replicas and every step of why out. Pure: the caller brings the
// clock and the world.
export { type Decided, decide } from './decide.ts';
export type { AlgorithmUsed, Decision, Proposal, Stage, Step } from './decision.ts';
export { stages } from './decision.ts';
export { externalProblem } from './external-signal.ts';
export { type GpuClaim, replicasWithin } from './gpu-budget.ts';
export {
  continueHistory,
  emptyHistory,
  type Growth,
  type History,
  type LearnedLoad,
  type Recommendation,
  type Regret,
  restoreHistory,
  type ScaleEvent,
} from './history.ts';
export {
  type ContainerFacts,
  type LearnedStartup,
  type Ledger,
  type LedgerPast,
  ledgerOf,
  type PodFacts,
  type ReplicaState,
  replicaStates,
  stateOf,
} from './ledger.ts';
export { limits as decisionLimits } from './limits.ts';
export { createLoadStep, type LoadStep } from './load-step.ts';
export { lookIn, lookWithoutReport } from './look-pace.ts';
export { type Need, needOf } from './need.ts';
export { type AgentMetric, agentMetrics } from './pod-measures.ts';
export {
  changeWithin,
  clampDefault,
  type Limited,
  type LimitReason,
  limitRate,
  type RatePolicy,
  type RateRules,
  type SizeChange,
  type SizeChanges,
  scaleDownLimit,
  scaleUpLimit,
} from './rate-limit.ts';
export {
  averageRatio,
  averageUsage,
  inBand,
  noUsage,
  type PodsOfMetric,
  type PodUsage,
  proposeByRatio,
  proposeByTotal,
  proposeByTotalPerReplica,
  type RatioOf,
  saturatingSum,
  type Tolerance,
  usagePerReplica,
  utilizationPercent,
  utilizationRatio,
} from './ratio-proposal.ts';
export { type Reason, type ReasonText, reasonNames, reasons } from './reasons.ts';
export { type DecisionRecord, decodeRecord, encodeRecord, recordOf, replay } from './record.ts';
export { sentenceOf, signalText, stepText, unitOf } from './sentence.ts';
export { causes, type ExternalSample, type Folded, type MissingCause, type Signal, type Traffic } from './signal.ts';
export { createSignalFold, foldSignals, type ReceivedReport, type SignalFold } from './signal-fold.ts';
export type { Forecast, PluginAnswer, Snapshot } from './snapshot.ts';
export { stabilize, stabilizeDefault, type Wish } from './stabilization.ts';
