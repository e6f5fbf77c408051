// What a policy scales: how many replicas it is asked to have, and which pods are its. Deployments and StatefulSets are
// watched, so that looking at one costs nothing; anything else with a /scale subresource is read through it.
import type { Clock, Log } from '@kubeai/daemon';
import {
  createReflector,
  type Discovery,
  isKubeError,
  type KubeClient,
  type KubeObject,
  keyOf,
  type Reflector,
  type Resource,
  readScale,
  resources,
  type Scale,
  writeScale,
} from '@kubeai/kube';
import type { Policy } from '@kubeai/policy';
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';

export type TargetRef = Policy['target'] & { readonly namespace: string };

export type TargetState =
  | { readonly kind: 'found'; readonly resource: Resource; readonly scale: Scale }
  | { readonly kind: 'absent'; readonly message: string }
  | { readonly kind: 'notScalable'; readonly message: string };

export interface Targets {
  /** Throws when the API server cannot be asked. */
  read(target: TargetRef): Promise<TargetState>;
  /** Sets the replicas from what was read; `'changed'` when somebody else has set another number meanwhile. */
  scale(target: TargetRef, found: TargetState & { kind: 'found' }, replicas: number): Promise<Scale | 'changed'>;
  hasSynced(): boolean;
  stop(): void;
}

/** One word for one target, whatever API version names it. */
export const targetKey = ({ namespace, apiVersion, kind, name }: TargetRef): string =>
  `${apiVersion.split('/')[0]}/${kind}/${namespace}/${name}`;

interface Workload extends KubeObject {
  readonly spec?: { readonly replicas?: number; readonly selector?: LabelSelector };
  readonly status?: { readonly replicas?: number };
}

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export const fieldManager = 'kubeai-controller';

export function createTargets(options: {
  readonly client: KubeClient;
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly log: Log;
  /** A watched target is there, has changed or is gone. */
  readonly changed: (key: string) => void;
}): Targets {
  const { client, discovery, clock } = options;
  const watched = new Map<string, Reflector<Workload>>();
  for (const resource of [resources.deployments, resources.statefulSets]) {
    const reflector = createReflector<Workload>({ ...options, resource, keep: essence });
    const tell = (item: Workload) => {
      const { name, namespace = '' } = item.metadata;
      options.changed(targetKey({ apiVersion: 'apps/v1', kind: resource.kind, namespace, name }));
    };
    reflector.subscribe({ upsert: tell, remove: tell });
    watched.set(resource.kind, reflector);
  }
  // What we wrote and have not yet seen come back through the watch: the next look must not act on the old number.
  const written = new Map<string, Scale>();
  const polled = new Map<string, { readonly at: Instant; readonly state: TargetState }>();

  const reflectorOf = (target: TargetRef): Reflector<Workload> | undefined =>
    target.apiVersion.startsWith('apps/') ? watched.get(target.kind) : undefined;

  function fromWatch(target: TargetRef, reflector: Reflector<Workload>): TargetState {
    const key = targetKey(target);
    const workload = reflector.read(target);
    if (workload === undefined) {
      written.delete(key);
      return { kind: 'absent', message: `there is no ${target.kind} ${keyOf(target)}` };
    }
    const resource = target.kind === 'Deployment' ? resources.deployments : resources.statefulSets;
    const seen = scaleOf(workload);
    const ours = written.get(key);
    if (ours === undefined) return { kind: 'found', resource, scale: seen };
    if (seen.uid === ours.uid && isOlder(seen.resourceVersion, ours.resourceVersion)) {
      return { kind: 'found', resource, scale: { ...ours, selector: seen.selector } };
    }
    written.delete(key);
    return { kind: 'found', resource, scale: seen };
  }

  async function fromSubresource(target: TargetRef): Promise<TargetState> {
    const key = targetKey(target);
    const known = polled.get(key);
    if (known !== undefined && elapsed(known.at, clock.now()) < limits.scaleAge) return known.state;
    const state = await readState(target);
    polled.delete(key);
    polled.set(key, { at: clock.now(), state });
    if (polled.size > limits.polledScales) polled.delete(polled.keys().next().value!);
    return state;
  }

  async function readState(target: TargetRef): Promise<TargetState> {
    const resource = await discovery.find(target.apiVersion, target.kind);
    if (resource === undefined) {
      return { kind: 'absent', message: `the cluster has no kind ${target.kind} in ${target.apiVersion}` };
    }
    if (!resource.scalable) return { kind: 'notScalable', message: `${target.kind} has no scale subresource` };
    try {
      return { kind: 'found', resource, scale: await readScale(client, resource, target) };
    } catch (cause) {
      if (isKubeError(cause, 404)) return { kind: 'absent', message: `there is no ${target.kind} ${keyOf(target)}` };
      throw cause;
    }
  }

  return {
    async read(target) {
      const reflector = reflectorOf(target);
      return reflector === undefined ? await fromSubresource(target) : fromWatch(target, reflector);
    },
    async scale(target, found, replicas) {
      const key = targetKey(target);
      const result = await writeScale(client, found.resource, target, found.scale, replicas, fieldManager);
      polled.delete(key);
      if (result !== 'changed' && reflectorOf(target) !== undefined) written.set(key, result);
      return result;
    },
    hasSynced: () => [...watched.values()].every((reflector) => reflector.hasSynced()),
    stop() {
      for (const reflector of watched.values()) reflector.stop();
    },
  };
}

/** resourceVersions grow within one cluster (Kubernetes promises their order since 1.35, and etcd's always did). */
function isOlder(version: string, than: string): boolean {
  return version.length === than.length ? version < than : version.length < than.length;
}

function essence({ metadata, spec, status }: Workload): Workload {
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    metadata: { name, namespace, uid, resourceVersion } as Workload['metadata'],
    spec: {
      replicas: spec?.replicas ?? 1,
      ...(spec?.selector === undefined ? {} : { selector: spec.selector }),
    },
    status: { replicas: status?.replicas ?? 0 },
  };
}

const scaleOf = ({ metadata, spec, status }: Workload): Scale => ({
  replicas: spec?.replicas ?? 1,
  present: status?.replicas ?? 0,
  selector: selectorText(spec?.selector ?? {}),
  resourceVersion: metadata.resourceVersion ?? '',
  uid: metadata.uid ?? '',
});

/** A LabelSelector in kubectl's form, as the scale subresource gives it. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${values.join(',')})`;
      case 'NotIn':
        return `${key} notin (${values.join(',')})`;
      case 'Exists':
        return key;
      default:
        return `!${key}`;
    }
  });
  return [...labels, ...expressions].join(',');
}
