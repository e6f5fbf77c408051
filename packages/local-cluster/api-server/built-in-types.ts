// Field types of Kubernetes' own kinds. built-in-types.txt (generated) says which fields exist; the two tables here add
// what the client library does not carry: how lists merge and which values have a single owner.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { anything, type FieldType, type Scalar } from './field-type.ts';

interface Sharing {
  /** Strategic merge key; '' merges a list of scalars. */
  readonly merge?: string;
  /** Server-side apply: map keys; [] is a set. */
  readonly keys?: readonly string[];
  readonly retainKeys?: boolean;
}

const byName: Sharing = { merge: 'name', keys: ['name'] };
const byType: Sharing = { merge: 'type', keys: ['type'] };

/** Lists that several writers share. Every other list is replaced, and owned, as a whole. */
const sharing: Readonly<Record<string, Sharing>> = {
  'V1ObjectMeta.finalizers': { merge: '', keys: [] },
  'V1ObjectMeta.ownerReferences': { merge: 'uid', keys: ['uid'] },
  'V1PodSpec.containers': byName,
  'V1PodSpec.initContainers': byName,
  'V1PodSpec.ephemeralContainers': byName,
  'V1PodSpec.volumes': { ...byName, retainKeys: true },
  'V1PodSpec.imagePullSecrets': byName,
  'V1PodSpec.hostAliases': { merge: 'ip', keys: ['ip'] },
  'V1PodSpec.topologySpreadConstraints': { merge: 'topologyKey', keys: ['topologyKey', 'whenUnsatisfiable'] },
  'V1PodSpec.schedulingGates': byName,
  'V1PodSpec.resourceClaims': { ...byName, retainKeys: true },
  'V1Container.env': byName,
  'V1Container.ports': { merge: 'containerPort', keys: ['containerPort', 'protocol'] },
  'V1Container.volumeMounts': { merge: 'mountPath', keys: ['mountPath'] },
  'V1Container.volumeDevices': { merge: 'devicePath', keys: ['devicePath'] },
  'V1EphemeralContainer.env': byName,
  'V1EphemeralContainer.ports': { merge: 'containerPort', keys: ['containerPort', 'protocol'] },
  'V1EphemeralContainer.volumeMounts': { merge: 'mountPath', keys: ['mountPath'] },
  'V1ResourceRequirements.claims': { keys: ['name'] },
  'V1PodStatus.conditions': byType,
  'V1PodStatus.podIPs': { merge: 'ip', keys: ['ip'] },
  'V1PodStatus.hostIPs': { merge: 'ip' },
  'V1ServiceSpec.ports': { merge: 'port', keys: ['port', 'protocol'] },
  'V1ServiceStatus.conditions': byType,
  'V1ServiceAccount.secrets': byName,
  'V1DeploymentStatus.conditions': byType,
  'V1ReplicaSetStatus.conditions': byType,
  'V1StatefulSetStatus.conditions': byType,
  'V1DaemonSetStatus.conditions': byType,
  'V1JobStatus.conditions': { merge: 'type' },
  'V1NodeSpec.podCIDRs': { merge: '', keys: [] },
  'V1NodeStatus.addresses': byType,
  'V1NodeStatus.conditions': byType,
  'V1NamespaceStatus.conditions': byType,
  'V1PersistentVolumeClaimStatus.conditions': byType,
  'V1PodDisruptionBudgetStatus.conditions': byType,
  'V1MutatingWebhookConfiguration.webhooks': byName,
  'V1ValidatingWebhookConfiguration.webhooks': byName,
  'V1MutatingWebhook.matchConditions': byName,
  'V1ValidatingWebhook.matchConditions': byName,
  'V1CustomResourceDefinitionStatus.conditions': { keys: ['type'] },
  'V2HorizontalPodAutoscalerStatus.conditions': byType,
  'V1Endpoint.addresses': { keys: [] },
};

/** Objects and maps that have one owner as a whole. */
const atomic = new Set([
  'V1LabelSelector',
  'V1LocalObjectReference',
  'V1ConfigMapKeySelector',
  'V1SecretKeySelector',
  'V1ObjectFieldSelector',
  'V1ResourceFieldSelector',
  'V1ObjectReference',
  'V1TypedLocalObjectReference',
  'V1NodeSelector',
  'V1NodeSelectorTerm',
  'V1SecretReference',
  'V1RoleRef',
  'RbacV1Subject',
  'V1ServiceSpec.selector',
  'V1PodSpec.nodeSelector',
  'V1ReplicationControllerSpec.selector',
]);

const retaining = new Set(['V1Volume', 'V1DeploymentStrategy', 'V1PodResourceClaim']);

const scalars: Readonly<Record<string, Scalar>> = {
  string: 'string',
  number: 'number',
  boolean: 'boolean',
  intOrString: 'intOrString',
  time: 'time',
  microTime: 'microTime',
  bytes: 'bytes',
};

const source = new Map(
  readFileSync(join(import.meta.dirname, 'built-in-types.txt'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', ...fields] = line.split(' ');
      return [name, fields.map((field) => field.split('=') as [string, string])] as const;
    }),
);

const known = new Map<string, FieldType>();

/** The type of a model (`V1Pod`). A name that the generated list lacks is a mistake in the kind table. */
export function builtInType(model: string): FieldType {
  const present = known.get(model);
  if (present) return present;
  const described = source.get(model);
  if (described === undefined) throw new Error(`built-in-types.txt lacks ${model}: generate it again`);
  let fields: Record<string, FieldType> | undefined;
  const type: FieldType = {
    form: 'object',
    name: model,
    atomic: atomic.has(model),
    retainKeys: retaining.has(model),
    required: described.filter(([, text]) => text.endsWith('!')).map(([field]) => field),
    get fields() {
      fields ??= Object.fromEntries(
        described.map(([field, text]) => [field, decode(text.replace(/!$/, ''), `${model}.${field}`)]),
      );
      return fields;
    },
  };
  known.set(model, type);
  return type;
}

/** JSONSchemaProps hold fields that the type system of Kubernetes leaves open (default, example, enum, items). */
function decode(text: string, place: string): FieldType {
  if (text.startsWith('[')) {
    const shared = sharing[place];
    return {
      form: 'list',
      values: decode(text.slice(1), ''),
      atomic: shared?.keys === undefined,
      keys: shared?.keys?.length ? shared.keys : undefined,
      set: shared?.keys?.length === 0,
      mergeKey: shared?.merge,
      retainKeys: shared?.retainKeys,
    };
  }
  if (text.startsWith('{')) return { form: 'map', values: quantity(text.slice(1), place), atomic: atomic.has(place) };
  if (text.startsWith('integer:')) return { form: 'scalar', scalar: 'integer', format: text.slice('integer:'.length) };
  const scalar = scalars[text];
  if (scalar !== undefined) return quantity(text, place);
  return text === 'any' ? anything : builtInType(text);
}

/** Amounts like `cpu: 1` may be written as numbers; the client library calls them all strings. */
const amounts =
  /(?:requests|limits|capacity|allocatable|hard|used|overhead|allocatedResources|sizeLimit|divisor|averageValue|\bvalue)$/;
function quantity(text: string, place = ''): FieldType {
  const scalar = scalars[text];
  if (scalar === undefined) return decode(text, '');
  const isAmount =
    text === 'string' && amounts.test(place) && !/EnvVar|HTTPHeader|PodDNS|Taint|Toleration|PriorityClass/.test(place);
  return { form: 'scalar', scalar: isAmount ? 'intOrString' : scalar };
}
