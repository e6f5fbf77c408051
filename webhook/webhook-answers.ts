// The two answers, with what they need to know of the cluster.
import type { Clock, Log } from '@kubeai/daemon';
import { createReflector, type KubeClient, type KubeObject, type ObjectMeta, resources } from '@kubeai/kube';
import type { InjectionConfig } from './agent-container.ts';
import { createLookAround } from './look-around.ts';
import { mutatePod, type PodVerdict } from './mutate-pods.ts';
import { createServiceIndex } from './service-view.ts';
import { validatePolicy } from './validate-policies.ts';
import type { Answer } from './webhook-handler.ts';

export interface WebhookAnswers {
  /** By path. */
  readonly answers: Readonly<Record<'/mutate-pods' | '/validate-policies', Answer>>;
  /** `undefined` when namespaces and Services are known, else what is missing. */
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
  const services = createServiceIndex();
  const serviceReflector = createReflector<KubeObject>({
    client,
    resource: resources.services,
    clock,
    log,
    // Labels, annotations and the record of who wrote what are the bulk of a Service, and no business of ours.
    keep: ({ metadata, ...service }) => ({ ...service, metadata: nameOnly(metadata) }),
  });
  serviceReflector.subscribe({ upsert: services.put, remove: services.remove });
  const lookAround = createLookAround(client, clock, log);
  return {
    answers: {
      '/mutate-pods': (review) => {
        const known = namespaces.read({ name: review.namespace });
        const namespace = {
          name: review.namespace,
          labels: known && (known.metadata.labels ?? {}),
          services: services.of(review.namespace),
        };
        const { response, outcome } = mutatePod(review, namespace, ownNamespace, injection);
        onPod(outcome);
        log.debug('Looked at a pod', { namespace: review.namespace, pod: review.name, ...outcome });
        return response;
      },
      '/validate-policies': (review) => validatePolicy(review, lookAround),
    },
    unready() {
      if (!namespaces.hasSynced()) return 'namespaces are not listed yet';
      return serviceReflector.hasSynced() ? undefined : 'Services are not listed yet';
    },
    stop() {
      namespaces.stop();
      serviceReflector.stop();
    },
  };
}

/** What the reflector needs of an object's metadata. */
function nameOnly({ name, namespace, resourceVersion }: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}
