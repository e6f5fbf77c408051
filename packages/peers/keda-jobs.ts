// How many jobs KEDA starts for a queue: four strategies, several queues, and what counts as not yet started.

export type JobStrategy = 'default' | 'custom' | 'accurate' | 'eager';

export interface JobScene {
  readonly strategy: JobStrategy;
  /** Jobs the queue asks for, capped, and not capped. */
  readonly maxScale: number;
  readonly scaleTo: number;
  readonly running: number;
  readonly pending: number;
  readonly maxReplicas: number;
  readonly queueDeduction?: number | null;
  readonly runningPercentage?: number | null;
}

export interface JobDemand {
  /** Jobs to start. */
  readonly maxScale: number;
  readonly scaleTo: number;
}

export function jobsToStart(scene: JobScene): JobDemand {
  const { maxScale, running, pending, maxReplicas, scaleTo } = scene;
  const simple = { maxScale: maxScale - running, scaleTo };
  switch (scene.strategy) {
    case 'custom': {
      const { queueDeduction, runningPercentage } = scene;
      if (runningPercentage === null || runningPercentage === undefined || !Number.isFinite(runningPercentage))
        return simple;
      const wanted = maxScale - (queueDeduction ?? 0) - Math.trunc(running * runningPercentage);
      return { maxScale: Math.min(wanted, maxReplicas), scaleTo };
    }
    case 'accurate':
      return {
        maxScale: maxScale + running - pending > maxReplicas ? maxReplicas - running : maxScale - pending,
        scaleTo,
      };
    case 'eager':
      return { maxScale: Math.min(maxReplicas - running - pending, maxScale), scaleTo: maxReplicas };
    default:
      return simple;
  }
}

/** The same with a minimum: below it the difference is started, above it only what runs beyond counts as running. */
export function decideJobs(scene: JobScene & { readonly minReplicas: number }): JobDemand {
  const { minReplicas, running } = scene;
  if (running < minReplicas) {
    const difference = minReplicas - running;
    return { maxScale: difference, scaleTo: difference };
  }
  return jobsToStart({ ...scene, running: running - minReplicas });
}

export interface QueueTrigger {
  readonly queueLength: number;
  readonly targetAverage: number;
  readonly active: boolean;
}

export interface QueuesDemand {
  readonly active: boolean;
  readonly queueLength: number;
  readonly maxScale: number;
}

/** Several queues as one: the longest, the shortest, their mean or their sum, then capped and rounded up. */
export function combineQueues(
  combine: 'max' | 'min' | 'avg' | 'sum' | '',
  triggers: readonly QueueTrigger[],
  minReplicas: number,
  maxReplicas: number,
): QueuesDemand {
  const active = triggers.filter((trigger) => trigger.active);
  const worth = active.map(({ queueLength, targetAverage }) => ({
    queueLength,
    maxScale: Math.min(targetAverage > 0 ? queueLength / targetAverage : maxReplicas, maxReplicas),
  }));
  const isActive = active.length > 0 || minReplicas > 0;
  if (worth.length === 0) return { active: isActive, queueLength: 0, maxScale: 0 };
  const sum = worth.reduce((total, each) => ({
    queueLength: total.queueLength + each.queueLength,
    maxScale: total.maxScale + each.maxScale,
  }));
  const combined =
    combine === 'sum'
      ? sum
      : combine === 'avg'
        ? { queueLength: sum.queueLength / worth.length, maxScale: sum.maxScale / worth.length }
        : worth.reduce((best, each) => {
            const better =
              combine === 'min' ? each.queueLength < best.queueLength : each.queueLength > best.queueLength;
            return better ? each : best;
          });
  return {
    active: isActive,
    queueLength: Math.ceil(combined.queueLength),
    maxScale: Math.ceil(Math.min(combined.maxScale, maxReplicas)),
  };
}

export interface JobPod {
  readonly phase: string;
  /** Names of the conditions that are true. */
  readonly conditions: readonly string[];
}

/** Whether an unfinished job has not started yet: by the phase of its pods, or by conditions of one of them. */
export function isJobPending(pods: readonly JobPod[], requiredConditions: readonly string[]): boolean {
  if (requiredConditions.length === 0) return !pods.some(({ phase }) => phase === 'Running' || phase === 'Succeeded');
  return !pods.some(({ conditions }) => requiredConditions.every((name) => conditions.includes(name)));
}
