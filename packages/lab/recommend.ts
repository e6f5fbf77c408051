// A policy from a trace: the values of the policy's own knob are played, and the cheapest that keeps the goal is written
// down, with what it may be expected to keep and to cost.
import { stringify } from 'yaml';
import { tuned } from './compare.ts';
import type { Study } from './study.ts';

/** The promise that a recommendation has to keep on its trace. */
const goal = 0.99;

/** YAML of a policy for the traffic of a study whose first contender was played with its curve. */
export function recommend({ trace, results, startUpMs }: Study, firstTokenMs: number): string {
  const [own] = results;
  const best = tuned(own!.scores, goal);
  const kept = (100 * best.attainment).toFixed(2);
  const header = [
    `# Played against ${trace} with starts of ${startUpMs / 1_000} s: ${kept} % of the requests within the promise`,
    `# at ${best.gpuHours.toFixed(1)} GPU-hours (${best.meanReplicas.toFixed(2)} replicas on average, ${best.maxReplicas} at most).`,
    ...(best.attainment < goal
      ? [`# No value of the knob kept ${100 * goal} %: ask for a faster start or more replicas in reserve.`]
      : []),
  ];
  const policy = {
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: 'recommended' },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'NAME-OF-YOUR-DEPLOYMENT' },
      // Half as much again as was ever needed: tomorrow is not like the trace.
      maxReplicas: Math.ceil(1.5 * best.maxReplicas),
      preset: 'interactive',
      metrics: {
        timeToFirstToken: { targetP95Ms: firstTokenMs },
        ...(Number.isNaN(best.value) ? {} : { work: { targetUtilization: best.value } }),
      },
    },
  };
  return `${header.join('\n')}\n${stringify(policy)}`;
}
