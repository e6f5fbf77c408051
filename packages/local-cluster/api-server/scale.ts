// The scale subresource: one small object (autoscaling/v1 Scale) over whatever has replicas, Deployment or custom kind.
import { badRequest, type FieldError, invalidField } from './api-error.ts';
import { copyOf, type JsonObject, type KubeObject, setAt, valueAt } from './kube-object.ts';
import type { ResourceKind, ScalePaths } from './resources.ts';
import { selectorText } from './selectors.ts';

export const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' } as const;

/** The Scale of an object. */
export function scaleOf(object: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = Number(valueAt(object, ...paths.specReplicas) ?? 0);
  const selector = paths.selector === undefined ? '' : selectorText(valueAt(object, ...paths.selector));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
      ...(creationTimestamp && { creationTimestamp }),
    },
    // A real server leaves out the zero that is asked for, but not the zero that there is.
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: Number(valueAt(object, ...paths.statusReplicas) ?? 0), ...(selector !== '' && { selector }) },
  };
}

/** The object with the replicas that a Scale asks for. Throws a 400 for something that is no Scale. */
export function withScale(object: KubeObject, scale: KubeObject, paths: ScalePaths): KubeObject {
  const replicas = valueAt(scale, 'spec', 'replicas') ?? 0;
  if (!Number.isInteger(replicas)) {
    throw badRequest(
      `Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal ${typeof replicas} into Go struct field ScaleSpec.spec.replicas of type int32`,
    );
  }
  const result = copyOf(object) as KubeObject & JsonObject;
  setAt(result, paths.specReplicas, replicas);
  if (scale.metadata?.resourceVersion !== undefined) result.metadata.resourceVersion = scale.metadata.resourceVersion;
  return result;
}

export const scaleErrors = (kind: ResourceKind, object: KubeObject): FieldError[] => {
  const replicas = kind.scale === undefined ? 0 : Number(valueAt(object, ...kind.scale.specReplicas) ?? 0);
  return replicas < 0 ? [invalidField('spec.replicas', replicas, 'must be greater than or equal to 0')] : [];
};
