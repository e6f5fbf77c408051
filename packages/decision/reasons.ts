// Why a target has the size it has, as one closed list. The same word stands in the status, the Event, the metric label,
// the log and the tests; docs/policy.md explains each and is held complete by a test.

export interface ReasonText {
  /** What happened, as the end of the sentence "the target has this size because …". */
  readonly sentence: string;
  /** What a reader can do about it. */
  readonly action: string;
}

export const reasons = {
  WithinTarget: {
    sentence: 'every metric is within its target or its tolerance',
    action: 'Nothing: this is the state to be in.',
  },
  MetricAboveTarget: {
    sentence: 'a metric asks for more replicas',
    action:
      'Nothing, if the growth is welcome. If not, raise the target of the metric that the decision names as winner.',
  },
  MetricBelowTarget: {
    sentence: 'the load fits on fewer replicas',
    action: 'Nothing. To keep more in reserve, raise minReplicas or lower the targets.',
  },
  Idle: {
    sentence: 'no request has arrived lately and every replica said so',
    action: 'Nothing. Set minReplicas to what must stay for the next request.',
  },
  PredictedLoad: {
    sentence: 'the forecast asks for more than the present load',
    action: 'Compare forecast and load; set prediction.mode to Observe if it is wrong too often.',
  },
  ReplacingDeadReplicas: {
    sentence: 'replicas that crash, never became ready or are lost with their node are replaced for now',
    action:
      'Look at the pods that are not ready: kubectl describe pod names the image, probe, device or node that is at fault.',
  },
  TriedAndFailed: {
    sentence: 'a smaller size was tried at this load and had to be taken back',
    action: 'Nothing: it is tried again once the load is lower, or after six hours.',
  },
  WaitingForStartingReplicas: {
    sentence: 'the requests that queue up are served by replicas that are already starting',
    action:
      'Nothing, if it passes. To react sooner, shorten the start (smaller image, cached weights) or turn prediction on.',
  },
  ReplicasUnschedulable: {
    sentence: 'replicas that were asked for find no node with room for them, so what waits meanwhile asks for no more',
    action:
      'Nothing where nodes are on their way. Else add GPUs, or free some: kubectl describe pod of a pending one says what is lacking.',
  },
  NotCausedByLoad: {
    sentence: 'answers got slower at a load that used to be fine, which more replicas do not cure',
    action:
      'Look for longer answers, throttled GPUs or a new engine version; raise the latency target if answers are simply longer.',
  },
  LearningWork: {
    sentence:
      'what a token costs is not known yet, so work neither grows nor, beyond careful steps, shrinks the target',
    action: 'Nothing: it passes once the load has varied for a while. Other metrics decide meanwhile.',
  },
  SLOInfeasible: {
    sentence: 'even an idle replica is slower than the latency target',
    action: 'Raise the target, or make one replica faster (smaller model, more GPUs a replica, shorter answers).',
  },
  SignalMissing: {
    sentence: 'a metric of the policy is stale or missing, so nothing shrinks',
    action: 'See the signal and its cause in the decision; fix the source, or disable the metric.',
  },
  QuorumMissing: {
    sentence: 'too few of the serving replicas report to shrink',
    action: 'Look for pods without an agent or agents that cannot reach the controller (kubectl logs -c kubeai-agent).',
  },
  NoFreshSignals: {
    sentence: 'no metric of the policy is known, so the size stays',
    action:
      'Check that the pods are injected and the agents reach the controller; a fallback can be set for this case.',
  },
  Fallback: {
    sentence: 'no metric was known for several rounds and the fallback of the policy holds',
    action: 'As for NoFreshSignals; the fallback ends by itself once a signal is back.',
  },
  HistoryTooShort: {
    sentence: 'too little is known about the past (a new policy, or the controller was away) to shrink yet',
    action: 'Nothing: it passes after scaleDown.stabilizationWindowSeconds.',
  },
  WithinTolerance: {
    sentence: 'the difference is smaller than the tolerance',
    action: 'Nothing. Lower scaleUp.tolerance or scaleDown.tolerance to follow more closely.',
  },
  HeldByWindow: {
    sentence: 'the wish of the moment differs from the wishes of the stabilisation window',
    action: 'Nothing: it passes with the window. Shorten stabilizationWindowSeconds to follow sooner.',
  },
  HeldByRate: {
    sentence: 'the scaling policies allow only part of the change in their period',
    action: 'Raise scaleUp.policies or scaleDown.policies if this is too slow.',
  },
  DirectionDisabled: {
    sentence: 'changes in this direction are disabled by selectPolicy',
    action: 'Set selectPolicy to Max or Min to allow them.',
  },
  HeldByCooldown: {
    sentence: 'the size changed a moment ago and shrinking waits for the cooldown',
    action: 'Nothing: it passes after cooldownPeriod.',
  },
  AtMaximum: {
    sentence: 'more replicas are wanted than the maximum allows',
    action: 'Raise maxReplicas, or the targets, or accept the load.',
  },
  AtMinimum: {
    sentence: 'fewer replicas would do, but the minimum holds',
    action: 'Lower minReplicas if so many are not needed.',
  },
  Schedule: {
    sentence: 'an entry of the schedule sets other bounds now',
    action: 'See spec.schedule; the decision names the entry.',
  },
  GpuBudget: {
    sentence: 'the GPU budget allows no more replicas',
    action:
      'Raise the budget (--gpu-budgets of the controller; one that is not listed has nothing), or the priority of this policy (gpu.priority).',
  },
  Paused: {
    sentence: 'the policy is paused',
    action: 'Set paused to false to resume.',
  },
  NotActive: {
    sentence: 'the mode of the policy is Observe or Recommend, so nothing is changed',
    action: 'Set mode to Active to let it scale.',
  },
  StoppedByHand: {
    sentence: 'somebody else set the size to zero, which is taken as a pause',
    action: 'Scale the target to one or more replicas to hand it back.',
  },
  NotIdle: {
    sentence: 'the last replica stays until every pod has been silent of requests',
    action: 'Nothing: it goes once it is idle and all agents report.',
  },
  WokenUp: {
    sentence: 'work waits for a target that was scaled to zero',
    action: 'Nothing. Set minReplicas to 1 if the first request must not wait for a start.',
  },
} as const satisfies Record<string, ReasonText>;
export type Reason = keyof typeof reasons;
export const reasonNames = Object.keys(reasons) as readonly Reason[];
