// Reads what stands around a policy: the other policies, other autoscalers, and the target's present size. Policies are
// written a few times a day, so it is asked when needed instead of being kept in memory.
import type { Clock, Log } from '@kubeai/daemon';
import { isKubeError, type KubeClient, type KubeObject, type Resource, readScale, resources } from '@kubeai/kube';
import { nothingAround, type ScaledTarget, type Surroundings } from '@kubeai/policy';
import { maxNeighbours, surroundingsDeadline } from './limits.ts';
import type { LookAround } from './validate-policies.ts';

interface Scaler extends KubeObject {
  readonly spec?: {
    readonly targetRef?: Partial<ScaledTarget>;
    readonly scaleTargetRef?: Partial<ScaledTarget>;
  };
}

const scaledObjects: Resource = {
  group: 'keda.sh',
  version: 'v1alpha1',
  plural: 'scaledobjects',
  kind: 'ScaledObject',
  namespaced: true,
};

const scalable: Readonly<Record<string, Resource>> = {
  'apps/v1 Deployment': resources.deployments,
  'apps/v1 StatefulSet': resources.statefulSets,
};

export function createLookAround(client: KubeClient, clock: Clock, log: Log): LookAround {
  return async (namespace, target) => {
    const looked = look(client, namespace, target).catch((cause: unknown) => {
      log.warn('Looking around a policy failed; no warnings about its surroundings', { namespace, cause });
      return nothingAround;
    });
    return await Promise.race([looked, clock.sleep(surroundingsDeadline).then(() => nothingAround)]);
  };
}

async function look(client: KubeClient, namespace: string, target: Parameters<LookAround>[1]): Promise<Surroundings> {
  const list = async (of: Resource) => (await client.list<Scaler>(of, { namespace, limit: maxNeighbours })).items;
  const [policies, autoscalers, keda, size] = await Promise.all([
    list(resources.policies),
    list(resources.horizontalPodAutoscalers).catch(noneIfUnknown),
    list(scaledObjects).catch(noneIfUnknown),
    sizeOf(client, namespace, target),
  ]);
  const targeted = (kind: string) => (item: Scaler) => {
    const { kind: of = 'Deployment', name = '' } = item.spec?.targetRef ?? item.spec?.scaleTargetRef ?? {};
    return { kind, name: item.metadata.name, target: { kind: of, name } };
  };
  return {
    policies: policies.map(targeted('policy')),
    // KEDA makes an HPA of its own for each ScaledObject; naming both would say the same thing twice.
    autoscalers: [
      ...autoscalers
        .filter(({ metadata }) => !(metadata.ownerReferences ?? []).some(({ kind }) => kind === 'ScaledObject'))
        .map(targeted('HorizontalPodAutoscaler')),
      ...keda.map(targeted('ScaledObject')),
    ],
    ...size,
  };
}

/** A cluster without KEDA does not know its kinds, and we may not be allowed to read them. Neither is worth a word. */
function noneIfUnknown(cause: unknown): readonly Scaler[] {
  if (isKubeError(cause, 404) || isKubeError(cause, 403)) return [];
  throw cause;
}

async function sizeOf(client: KubeClient, namespace: string, { apiVersion, kind, name }: Parameters<LookAround>[1]) {
  const resource = scalable[`${apiVersion} ${kind}`];
  if (resource === undefined) return {};
  try {
    const { replicas } = await readScale(client, resource, { namespace, name });
    return { currentReplicas: replicas, targetExists: true };
  } catch (cause) {
    if (isKubeError(cause, 404)) return { targetExists: false };
    throw cause;
  }
}
