// The kinds this server serves, one row each. A row says everything that discovery, storage and the pipeline need; what
// a kind *does* (defaults, validation) is looked up by `kind` in defaults.ts and validation.ts, and is optional.

import type { CustomSchema } from './structural-schema.ts';
import type { TableColumn } from './table-columns.ts';

export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly selector: readonly string[] | undefined;
}

export interface ResourceKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Whether status is written through a subresource of its own. */
  readonly status: boolean;
  readonly scale: ScalePaths | undefined;
  /** Further subresources, with the kind that discovery names for them. */
  readonly subresources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly group?: string;
    readonly version?: string;
  }[];
  /** Whether metadata.generation counts changes of the spec. */
  readonly generation: boolean;
  /** A review is answered, never stored: only create. */
  readonly review: boolean;
  /** How names are checked. */
  readonly names: 'subdomain' | 'label' | 'label1035' | 'path';
  /** The client library's model, for built-in kinds. */
  readonly model: string;
  /** Where it is stored: two rows with the same key are two versions of one resource. */
  readonly storage: string;
  /** For kinds that a CustomResourceDefinition made. */
  readonly custom: CustomKind | undefined;
}

export interface CustomKind {
  readonly schema: CustomSchema;
  readonly columns: readonly TableColumn[];
  readonly selectableFields: readonly string[];
  readonly deprecated: string | undefined;
}

type Row = Pick<ResourceKind, 'kind' | 'plural'> &
  Partial<Omit<ResourceKind, 'custom' | 'scale'>> & { scalable?: boolean };

const replicasScale: ScalePaths = {
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selector: ['spec', 'selector'],
};

function row(group: string, version: string, { scalable, ...given }: Row): ResourceKind {
  return {
    group,
    version,
    listKind: `${given.kind}List`,
    singular: given.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    status: false,
    subresources: [],
    generation: false,
    review: false,
    names: 'subdomain',
    model: `${version.charAt(0).toUpperCase()}${version.slice(1)}${given.kind}`,
    storage: `${given.plural}.${group}`,
    custom: undefined,
    scale: scalable ? replicasScale : undefined,
    ...given,
  };
}

const all = ['all'];

const core: Row[] = [
  {
    kind: 'Namespace',
    plural: 'namespaces',
    shortNames: ['ns'],
    namespaced: false,
    status: true,
    names: 'label',
    subresources: [{ name: 'finalize', kind: 'Namespace' }],
  },
  { kind: 'Node', plural: 'nodes', shortNames: ['no'], namespaced: false, status: true },
  {
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: all,
    status: true,
    generation: true,
    subresources: [
      { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1' },
      { name: 'log', kind: 'Pod' },
      { name: 'resize', kind: 'Pod' },
      { name: 'ephemeralcontainers', kind: 'Pod' },
    ],
  },
  { kind: 'Service', plural: 'services', shortNames: ['svc'], categories: all, status: true, names: 'label1035' },
  { kind: 'ConfigMap', plural: 'configmaps', shortNames: ['cm'] },
  { kind: 'Secret', plural: 'secrets' },
  {
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    shortNames: ['sa'],
    subresources: [{ name: 'token', kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1' }],
  },
  { kind: 'Event', plural: 'events', shortNames: ['ev'], model: 'CoreV1Event', storage: 'events.' },
  { kind: 'Endpoints', plural: 'endpoints', singular: 'endpoints', shortNames: ['ep'] },
  { kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', shortNames: ['pvc'], status: true },
  { kind: 'LimitRange', plural: 'limitranges', shortNames: ['limits'] },
  { kind: 'ResourceQuota', plural: 'resourcequotas', shortNames: ['quota'], status: true },
];

const apps: Row[] = [
  {
    kind: 'Deployment',
    plural: 'deployments',
    shortNames: ['deploy'],
    categories: all,
    status: true,
    generation: true,
    scalable: true,
  },
  {
    kind: 'ReplicaSet',
    plural: 'replicasets',
    shortNames: ['rs'],
    categories: all,
    status: true,
    generation: true,
    scalable: true,
  },
  {
    kind: 'StatefulSet',
    plural: 'statefulsets',
    shortNames: ['sts'],
    categories: all,
    status: true,
    generation: true,
    scalable: true,
  },
  { kind: 'DaemonSet', plural: 'daemonsets', shortNames: ['ds'], categories: all, status: true, generation: true },
  { kind: 'ControllerRevision', plural: 'controllerrevisions' },
];

const webhooks = { namespaced: false, generation: true } as const;
const cluster = { namespaced: false } as const;
const review = { namespaced: false, review: true } as const;
const rbac = { names: 'path' } as const;

/** Every built-in kind. */
export const builtInKinds: readonly ResourceKind[] = [
  ...core.map((given) => row('', 'v1', given)),
  ...apps.map((given) => row('apps', 'v1', given)),
  row('batch', 'v1', { kind: 'Job', plural: 'jobs', categories: all, status: true, generation: true }),
  row('batch', 'v1', {
    kind: 'CronJob',
    plural: 'cronjobs',
    shortNames: ['cj'],
    categories: all,
    status: true,
    generation: true,
  }),
  row('autoscaling', 'v2', {
    kind: 'HorizontalPodAutoscaler',
    plural: 'horizontalpodautoscalers',
    shortNames: ['hpa'],
    categories: all,
    status: true,
  }),
  row('autoscaling', 'v1', {
    kind: 'HorizontalPodAutoscaler',
    plural: 'horizontalpodautoscalers',
    shortNames: ['hpa'],
    categories: all,
    status: true,
  }),
  row('discovery.k8s.io', 'v1', { kind: 'EndpointSlice', plural: 'endpointslices', generation: true }),
  row('coordination.k8s.io', 'v1', { kind: 'Lease', plural: 'leases' }),
  row('events.k8s.io', 'v1', {
    kind: 'Event',
    plural: 'events',
    shortNames: ['ev'],
    model: 'EventsV1Event',
    storage: 'events.',
  }),
  row('policy', 'v1', {
    kind: 'PodDisruptionBudget',
    plural: 'poddisruptionbudgets',
    shortNames: ['pdb'],
    status: true,
    generation: true,
  }),
  row('networking.k8s.io', 'v1', {
    kind: 'NetworkPolicy',
    plural: 'networkpolicies',
    shortNames: ['netpol'],
    generation: true,
  }),
  row('networking.k8s.io', 'v1', {
    kind: 'Ingress',
    plural: 'ingresses',
    shortNames: ['ing'],
    status: true,
    generation: true,
  }),
  row('scheduling.k8s.io', 'v1', { kind: 'PriorityClass', plural: 'priorityclasses', shortNames: ['pc'], ...cluster }),
  row('rbac.authorization.k8s.io', 'v1', { kind: 'Role', plural: 'roles', ...rbac }),
  row('rbac.authorization.k8s.io', 'v1', { kind: 'RoleBinding', plural: 'rolebindings', ...rbac }),
  row('rbac.authorization.k8s.io', 'v1', { kind: 'ClusterRole', plural: 'clusterroles', ...rbac, ...cluster }),
  row('rbac.authorization.k8s.io', 'v1', {
    kind: 'ClusterRoleBinding',
    plural: 'clusterrolebindings',
    ...rbac,
    ...cluster,
  }),
  row('admissionregistration.k8s.io', 'v1', {
    kind: 'MutatingWebhookConfiguration',
    plural: 'mutatingwebhookconfigurations',
    ...webhooks,
  }),
  row('admissionregistration.k8s.io', 'v1', {
    kind: 'ValidatingWebhookConfiguration',
    plural: 'validatingwebhookconfigurations',
    ...webhooks,
  }),
  row('apiextensions.k8s.io', 'v1', {
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
    shortNames: ['crd', 'crds'],
    status: true,
    generation: true,
    ...cluster,
  }),
  row('authentication.k8s.io', 'v1', { kind: 'TokenReview', plural: 'tokenreviews', ...review }),
  row('authentication.k8s.io', 'v1', { kind: 'SelfSubjectReview', plural: 'selfsubjectreviews', ...review }),
  row('authorization.k8s.io', 'v1', { kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews', ...review }),
  row('authorization.k8s.io', 'v1', { kind: 'SelfSubjectRulesReview', plural: 'selfsubjectrulesreviews', ...review }),
  row('authorization.k8s.io', 'v1', { kind: 'SubjectAccessReview', plural: 'subjectaccessreviews', ...review }),
];

export const apiVersionOf = ({ group, version }: { readonly group: string; readonly version: string }): string =>
  group === '' ? version : `${group}/${version}`;

export const subjectOf = (kind: ResourceKind, name: string) => ({ group: kind.group, resource: kind.plural, name });
