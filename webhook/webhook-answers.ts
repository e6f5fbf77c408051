// The two answers, with what they need to know of the cluster.
import type { Clock, Log } from '@kubeai/daemon';
import { createReflector, type KubeClient, type KubeObject, resources } from '@kubeai/kube';
import type { InjectionConfig } from './agent-container.ts';
import { createLookAround } from './look-around.ts';
import { mutatePod, type PodVerdict } from './mutate-pods.ts';
import { validatePolicy } from './validate-policies.ts';
import type { Answer } from './webhook-handler.ts';

export interface WebhookAnswers {
  /** By path. */
  readonly answers: Readonly<Record<'/mutate-pods' | '/validate-policies', Answer>>;
  /** `undefined` when the labels of namespaces are known, else what is missing. */
  unready(): string | undefined;
  stop(): void;
}

export interface WebhookAnswersOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly injection: InjectionConfig;
  /** The autoscaler's own; its pods are never touched. */
  readonly ownNamespace: string;
  readonly onPod: (outcome: PodVerdict['outcome']) => void;
}

export function createWebhookAnswers(options: WebhookAnswersOptions): WebhookAnswers {
  const { client, clock, log, injection, ownNamespace, onPod } = options;
  const namespaces = createReflector<KubeObject>({ client, resource: resources.namespaces, clock, log });
  const lookAround = createLookAround(client, clock, log);
  return {
    answers: {
      '/mutate-pods': (review) => {
        const known = namespaces.read({ name: review.namespace });
        const namespace = { name: review.namespace, labels: known && (known.metadata.labels ?? {}) };
        const { response, outcome } = mutatePod(review, namespace, ownNamespace, injection);
        onPod(outcome);
        log.debug('Looked at a pod', { namespace: review.namespace, pod: review.name, ...outcome });
        return response;
      },
      '/validate-policies': (review) => validatePolicy(review, lookAround),
    },
    unready: () => (namespaces.hasSynced() ? undefined : 'namespaces are not listed yet'),
    stop: () => namespaces.stop(),
  };
}
