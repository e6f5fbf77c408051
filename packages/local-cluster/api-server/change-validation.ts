// What may not change once an object is written, by kind.
import { type FieldError, forbiddenField, invalidField } from './api-error.ts';
import { equal, isObject, type JsonObject, type KubeObject, valueAt } from './kube-object.ts';

/** Fields that a kind does not let change once written. */
const immutable: Readonly<Record<string, readonly (readonly string[])[]>> = {
  Deployment: [['spec', 'selector']],
  ReplicaSet: [['spec', 'selector']],
  DaemonSet: [['spec', 'selector']],
  Service: [['spec', 'clusterIP']],
  RoleBinding: [['roleRef']],
  ClusterRoleBinding: [['roleRef']],
  EndpointSlice: [['addressType']],
  Secret: [['type']],
  PriorityClass: [['value']],
  CustomResourceDefinition: [
    ['spec', 'scope'],
    ['spec', 'group'],
    ['spec', 'names', 'kind'],
    ['spec', 'names', 'plural'],
  ],
};

const statefulSetMayChange = new Set([
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]);

export function changeErrors(before: KubeObject, after: KubeObject): FieldError[] {
  const errors = (immutable[after.kind] ?? [])
    .filter((path) => !equal(valueAt(before, ...path), valueAt(after, ...path)))
    .map((path) => invalidField(path.join('.'), valueAt(after, ...path) ?? null, 'field is immutable'));
  if (after.kind === 'StatefulSet') errors.push(...statefulSetChanges(before, after));
  if (after.kind === 'Pod') errors.push(...podChanges(before, after));
  if (
    (after.kind === 'ConfigMap' || after.kind === 'Secret') &&
    before.immutable === true &&
    (!equal(before.data, after.data) || after.immutable !== true)
  ) {
    errors.push(forbiddenField('data', 'field is immutable when `immutable` is set'));
  }
  return errors;
}

function statefulSetChanges(before: KubeObject, after: KubeObject): FieldError[] {
  const fixed = (spec: unknown) =>
    Object.fromEntries(Object.entries(isObject(spec) ? spec : {}).filter(([key]) => !statefulSetMayChange.has(key)));
  return equal(fixed(before.spec), fixed(after.spec))
    ? []
    : [
        forbiddenField(
          'spec',
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
      ];
}

const podMayChange = [
  'activeDeadlineSeconds',
  'tolerations',
  'schedulingGates',
  'terminationGracePeriodSeconds',
  'nodeName',
];
const without = (object: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** Of a pod, only images, the deadline, tolerations (added) and gates (removed) change; a grace period may shrink to 1. */
function podChanges(before: KubeObject, after: KubeObject): FieldError[] {
  const images = (list: unknown) => (Array.isArray(list) ? list.map((one: JsonObject) => without(one, ['image'])) : []);
  const fixed = (spec: unknown): JsonObject => {
    const rest = without(isObject(spec) ? spec : {}, podMayChange);
    return { ...rest, containers: images(rest.containers), initContainers: images(rest.initContainers) };
  };
  const bound = valueAt(before, 'spec', 'nodeName');
  const moved = bound !== undefined && bound !== valueAt(after, 'spec', 'nodeName');
  return equal(fixed(before.spec), fixed(after.spec)) && !moved
    ? []
    : [
        forbiddenField(
          'spec',
          'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
        ),
      ];
}
