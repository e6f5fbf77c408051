// Columns of the built-in kinds, after the real server's printers (pkg/printers/internalversion), in their order.
import { isObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import { podStatusText } from './pod-status-text.ts';
import { selectorText } from './selectors.ts';
import {
  ageColumn,
  ageOf,
  type Cell,
  column,
  humanDuration,
  nameColumn,
  ratio,
  type TableColumn,
} from './table-columns.ts';

const none = '<none>';
const wide = { priority: 1 } as const;
const whole = { type: 'integer' } as const;

const text = (value: unknown, missing = none): string =>
  value === undefined || value === null || value === '' ? missing : String(value);
const count = (object: KubeObject, ...path: string[]): number => Number(valueAt(object, ...path) ?? 0);
const joined = (values: readonly unknown[]): string => (values.length === 0 ? none : values.join(','));
const at =
  (...path: string[]) =>
  (object: KubeObject): Cell =>
    text(valueAt(object, ...path));
const number = (name: string, ...path: string[]) => column(name, (object) => count(object, ...path), whole);

const template = (...path: string[]): TableColumn[] => [
  column('Containers', (object) => joined(listAt(object, ...path, 'containers').map(({ name }) => name)), wide),
  column('Images', (object) => joined(listAt(object, ...path, 'containers').map(({ image }) => image)), wide),
];
const podTemplate = template('spec', 'template', 'spec');
const selector = column('Selector', (object) => text(selectorText(valueAt(object, 'spec', 'selector'))), wide);

const restarts = (pod: KubeObject, now: number): string => {
  const sidecars = new Set(
    listAt(pod, 'spec', 'initContainers')
      .filter(({ restartPolicy }) => restartPolicy === 'Always')
      .map(({ name }) => name),
  );
  const statuses = [
    ...listAt(pod, 'status', 'initContainerStatuses').filter(({ name }) => sidecars.has(name)),
    ...listAt(pod, 'status', 'containerStatuses'),
  ];
  const total = statuses.reduce((sum, { restartCount }) => sum + Number(restartCount ?? 0), 0);
  const ends = statuses.map((status) =>
    Date.parse(String(valueAt(status, 'lastState', 'terminated', 'finishedAt') ?? '')),
  );
  const last = Math.max(...ends.filter((end) => !Number.isNaN(end)));
  return total > 0 && Number.isFinite(last) ? `${total} (${humanDuration(now - last)} ago)` : String(total);
};

const readyContainers = (pod: KubeObject): string => {
  const sidecars = listAt(pod, 'spec', 'initContainers').filter(({ restartPolicy }) => restartPolicy === 'Always');
  const names = new Set(sidecars.map(({ name }) => name));
  const ready =
    listAt(pod, 'status', 'initContainerStatuses').filter((status) => names.has(status.name) && status.ready === true)
      .length + listAt(pod, 'status', 'containerStatuses').filter((status) => status.ready === true).length;
  return `${ready}/${listAt(pod, 'spec', 'containers').length + sidecars.length}`;
};

const servicePorts = (service: KubeObject): string =>
  joined(
    listAt(service, 'spec', 'ports').map(({ port, nodePort, protocol }) =>
      nodePort ? `${port}:${nodePort}/${text(protocol, 'TCP')}` : `${port}/${text(protocol, 'TCP')}`,
    ),
  );

const externalAddress = (service: KubeObject): string => {
  const given = valueAt(service, 'spec', 'externalIPs');
  const external = Array.isArray(given) ? given : [];
  if (valueAt(service, 'spec', 'type') === 'ExternalName') return text(valueAt(service, 'spec', 'externalName'));
  if (valueAt(service, 'spec', 'type') !== 'LoadBalancer') return joined(external);
  const balancers = listAt(service, 'status', 'loadBalancer', 'ingress').map(({ ip, hostname }) => ip ?? hostname);
  return balancers.length + external.length === 0 ? '<pending>' : joined([...balancers, ...external]);
};

const nodeStatus = (node: KubeObject): string => {
  const ready = listAt(node, 'status', 'conditions').find(({ type }) => type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return valueAt(node, 'spec', 'unschedulable') === true ? `${word},SchedulingDisabled` : word;
};

const nodeRoles = (node: KubeObject): string =>
  joined(
    Object.keys(node.metadata.labels ?? {})
      .filter((label) => label.startsWith('node-role.kubernetes.io/'))
      .map((label) => label.slice('node-role.kubernetes.io/'.length))
      .sort(),
  );

const nodeAddress = (kind: string) => (node: KubeObject) =>
  text(listAt(node, 'status', 'addresses').find(({ type }) => type === kind)?.address);

/** The first three, then how many more. */
const firstThree = (values: readonly unknown[]): string =>
  values.length === 0
    ? '<unset>'
    : values.length <= 3
      ? values.join(',')
      : `${values.slice(0, 3).join(',')} + ${values.length - 3} more...`;

const eventTime = (event: KubeObject, which: 'first' | 'last'): unknown => {
  const series = valueAt(event, 'series', 'lastObservedTime');
  if (which === 'last' && series) return series;
  return (
    event[which === 'last' ? 'lastTimestamp' : 'firstTimestamp'] ?? event.eventTime ?? event.metadata.creationTimestamp
  );
};
const eventSource = (event: KubeObject): string => {
  const component = text(valueAt(event, 'source', 'component'), text(event.reportingComponent, ''));
  const host = text(valueAt(event, 'source', 'host'), text(event.reportingInstance, ''));
  return host === '' ? component : `${component}, ${host}`;
};

const hpaMetric = (metric: unknown, current: unknown): string => {
  const value = (from: unknown): string | undefined => {
    const holder = isObject(from)
      ? Object.values(from).find((part) => isObject(part) && ('target' in part || 'current' in part))
      : undefined;
    const amount = valueAt(holder, 'target') ?? valueAt(holder, 'current');
    const percent = valueAt(amount, 'averageUtilization');
    if (percent !== undefined) return `${percent}%`;
    const average = valueAt(amount, 'averageValue');
    return average === undefined
      ? (valueAt(amount, 'value') as string | undefined)
      : `${average}${valueAt(holder, 'target') ? ' (avg)' : ''}`;
  };
  const name = valueAt(metric, 'resource', 'name');
  return `${name ? `${name}: ` : ''}${value(current) ?? '<unknown>'}/${value(metric) ?? '<auto>'}`;
};

const subjects = (kind: string) => (binding: KubeObject) =>
  listAt(binding, 'subjects')
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace}/${subject.name}` : subject.name))
    .join(', ');
const binding: readonly TableColumn[] = [
  nameColumn,
  column('Role', (object) => `${valueAt(object, 'roleRef', 'kind')}/${valueAt(object, 'roleRef', 'name')}`),
  ageColumn,
  column('Users', subjects('User'), wide),
  column('Groups', subjects('Group'), wide),
  column('ServiceAccounts', subjects('ServiceAccount'), wide),
];
const created: readonly TableColumn[] = [
  nameColumn,
  column('Created At', ({ metadata }) => metadata.creationTimestamp ?? '<unknown>', { type: 'date' }),
];
const webhookConfiguration: readonly TableColumn[] = [
  nameColumn,
  column('Webhooks', (object) => listAt(object, 'webhooks').length, whole),
  ageColumn,
];

const jobStatus = (job: KubeObject): string => {
  const holds = (type: string) =>
    listAt(job, 'status', 'conditions').some((one) => one.type === type && one.status === 'True');
  return holds('Complete')
    ? 'Complete'
    : holds('Failed')
      ? 'Failed'
      : job.metadata.deletionTimestamp
        ? 'Terminating'
        : holds('Suspended')
          ? 'Suspended'
          : 'Running';
};

export const builtInColumns: Readonly<Record<string, readonly TableColumn[]>> = {
  Pod: [
    nameColumn,
    column('Ready', readyContainers),
    column('Status', podStatusText),
    column('Restarts', restarts),
    ageColumn,
    column('IP', at('status', 'podIP'), wide),
    column('Node', at('spec', 'nodeName'), wide),
    column('Nominated Node', at('status', 'nominatedNodeName'), wide),
    column(
      'Readiness Gates',
      (pod) => {
        const gates = listAt(pod, 'spec', 'readinessGates');
        const met = gates.filter(({ conditionType }) =>
          listAt(pod, 'status', 'conditions').some(({ type, status }) => type === conditionType && status === 'True'),
        );
        return gates.length === 0 ? none : `${met.length}/${gates.length}`;
      },
      wide,
    ),
  ],
  Deployment: [
    nameColumn,
    column('Ready', (object) => ratio(object, 'readyReplicas', 'replicas')),
    number('Up-to-date', 'status', 'updatedReplicas'),
    number('Available', 'status', 'availableReplicas'),
    ageColumn,
    ...podTemplate,
    selector,
  ],
  ReplicaSet: [
    nameColumn,
    number('Desired', 'spec', 'replicas'),
    number('Current', 'status', 'replicas'),
    number('Ready', 'status', 'readyReplicas'),
    ageColumn,
    ...podTemplate,
    selector,
  ],
  StatefulSet: [
    nameColumn,
    column('Ready', (object) => ratio(object, 'readyReplicas', 'replicas')),
    ageColumn,
    ...podTemplate,
  ],
  DaemonSet: [
    nameColumn,
    number('Desired', 'status', 'desiredNumberScheduled'),
    number('Current', 'status', 'currentNumberScheduled'),
    number('Ready', 'status', 'numberReady'),
    number('Up-to-date', 'status', 'updatedNumberScheduled'),
    number('Available', 'status', 'numberAvailable'),
    column('Node Selector', (object) =>
      text(selectorText({ matchLabels: valueAt(object, 'spec', 'template', 'spec', 'nodeSelector') })),
    ),
    ageColumn,
    ...podTemplate,
    selector,
  ],
  Job: [
    nameColumn,
    column('Status', jobStatus),
    column(
      'Completions',
      (job) => `${count(job, 'status', 'succeeded')}/${text(valueAt(job, 'spec', 'completions'), '1')}`,
    ),
    column('Duration', (job, now) => {
      const start = valueAt(job, 'status', 'startTime');
      const end = valueAt(job, 'status', 'completionTime');
      return typeof start === 'string'
        ? humanDuration((typeof end === 'string' ? Date.parse(end) : now) - Date.parse(start))
        : '';
    }),
    ageColumn,
    ...podTemplate,
    selector,
  ],
  CronJob: [
    nameColumn,
    column('Schedule', at('spec', 'schedule')),
    column('Timezone', at('spec', 'timeZone')),
    column('Suspend', (object) => (valueAt(object, 'spec', 'suspend') === true ? 'True' : 'False')),
    column('Active', (object) => listAt(object, 'status', 'active').length, whole),
    column('Last Schedule', (object, now) => {
      const last = valueAt(object, 'status', 'lastScheduleTime');
      return last === undefined ? none : ageOf(last, now);
    }),
    ageColumn,
  ],
  Service: [
    nameColumn,
    column('Type', at('spec', 'type')),
    column('Cluster-IP', at('spec', 'clusterIP')),
    column('External-IP', externalAddress),
    column('Port(s)', servicePorts),
    ageColumn,
    column('Selector', (service) => text(selectorText({ matchLabels: valueAt(service, 'spec', 'selector') })), wide),
  ],
  Endpoints: [
    nameColumn,
    column('Endpoints', (object) =>
      text(
        firstThree(
          listAt(object, 'subsets').flatMap((subset) =>
            listAt(subset, 'addresses').flatMap(({ ip }) => listAt(subset, 'ports').map(({ port }) => `${ip}:${port}`)),
          ),
        ).replace('<unset>', ''),
      ),
    ),
    ageColumn,
  ],
  EndpointSlice: [
    nameColumn,
    column('AddressType', at('addressType')),
    column('Ports', (slice) => firstThree(listAt(slice, 'ports').map(({ port }) => port ?? '*'))),
    column('Endpoints', (slice) =>
      firstThree(listAt(slice, 'endpoints').flatMap(({ addresses }) => (Array.isArray(addresses) ? addresses : []))),
    ),
    ageColumn,
  ],
  Event: [
    column('Last Seen', (event, now) => ageOf(eventTime(event, 'last'), now)),
    column('Type', at('type')),
    column('Reason', at('reason')),
    column(
      'Object',
      (event) =>
        `${text(valueAt(event, 'involvedObject', 'kind'), '').toLowerCase()}/${text(valueAt(event, 'involvedObject', 'name'), '')}`,
    ),
    column('Subobject', (event) => text(valueAt(event, 'involvedObject', 'fieldPath'), ''), wide),
    column('Source', eventSource, wide),
    column('Message', (event) => text(event.message, '').trim()),
    column('First Seen', (event, now) => ageOf(eventTime(event, 'first'), now), wide),
    column('Count', (event) => Number(valueAt(event, 'series', 'count') ?? event.count ?? 1), { ...whole, ...wide }),
    column('Name', ({ metadata }) => metadata.name, { format: 'name', ...wide }),
  ],
  Namespace: [nameColumn, column('Status', at('status', 'phase')), ageColumn],
  Node: [
    nameColumn,
    column('Status', nodeStatus),
    column('Roles', nodeRoles),
    ageColumn,
    column('Version', at('status', 'nodeInfo', 'kubeletVersion')),
    column('Internal-IP', nodeAddress('InternalIP'), wide),
    column('External-IP', nodeAddress('ExternalIP'), wide),
    column('OS-Image', at('status', 'nodeInfo', 'osImage'), wide),
    column('Kernel-Version', at('status', 'nodeInfo', 'kernelVersion'), wide),
    column('Container-Runtime', at('status', 'nodeInfo', 'containerRuntimeVersion'), wide),
  ],
  Lease: [nameColumn, column('Holder', (lease) => text(valueAt(lease, 'spec', 'holderIdentity'), '')), ageColumn],
  Secret: [
    nameColumn,
    column('Type', at('type')),
    column('Data', ({ data }) => Object.keys(data ?? {}).length, whole),
    ageColumn,
  ],
  ConfigMap: [
    nameColumn,
    column(
      'Data',
      ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
      whole,
    ),
    ageColumn,
  ],
  ServiceAccount: [nameColumn, column('Secrets', (account) => listAt(account, 'secrets').length, whole), ageColumn],
  PersistentVolumeClaim: [
    nameColumn,
    column('Status', (claim) =>
      claim.metadata.deletionTimestamp ? 'Terminating' : text(valueAt(claim, 'status', 'phase'), ''),
    ),
    column('Volume', (claim) => text(valueAt(claim, 'spec', 'volumeName'), '')),
    column('Capacity', (claim) => text(valueAt(claim, 'status', 'capacity', 'storage'), '')),
    column('Access Modes', (claim) => {
      const short: Record<string, string> = {
        ReadWriteOnce: 'RWO',
        ReadOnlyMany: 'ROX',
        ReadWriteMany: 'RWX',
        ReadWriteOncePod: 'RWOP',
      };
      const modes = valueAt(claim, 'status', 'accessModes');
      return Array.isArray(modes) ? modes.map((mode) => short[mode] ?? mode).join(',') : '';
    }),
    column('StorageClass', (claim) => text(valueAt(claim, 'spec', 'storageClassName'), '')),
    ageColumn,
    column('VolumeMode', at('spec', 'volumeMode'), wide),
  ],
  HorizontalPodAutoscaler: [
    nameColumn,
    column(
      'Reference',
      (hpa) => `${valueAt(hpa, 'spec', 'scaleTargetRef', 'kind')}/${valueAt(hpa, 'spec', 'scaleTargetRef', 'name')}`,
    ),
    column('Targets', (hpa) => {
      const current = listAt(hpa, 'status', 'currentMetrics');
      return joined(listAt(hpa, 'spec', 'metrics').map((metric, index) => hpaMetric(metric, current[index])));
    }),
    column('MinPods', at('spec', 'minReplicas')),
    number('MaxPods', 'spec', 'maxReplicas'),
    number('Replicas', 'status', 'currentReplicas'),
    ageColumn,
  ],
  PodDisruptionBudget: [
    nameColumn,
    column('Min Available', (pdb) => text(valueAt(pdb, 'spec', 'minAvailable'), 'N/A')),
    column('Max Unavailable', (pdb) => text(valueAt(pdb, 'spec', 'maxUnavailable'), 'N/A')),
    number('Allowed Disruptions', 'status', 'disruptionsAllowed'),
    ageColumn,
  ],
  Ingress: [
    nameColumn,
    column('Class', at('spec', 'ingressClassName')),
    column(
      'Hosts',
      (ingress) =>
        listAt(ingress, 'spec', 'rules')
          .map(({ host }) => host ?? '*')
          .join(',') || '*',
    ),
    column('Address', (ingress) =>
      listAt(ingress, 'status', 'loadBalancer', 'ingress')
        .map(({ ip, hostname }) => ip ?? hostname)
        .join(','),
    ),
    column('Ports', (ingress) => (listAt(ingress, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
    ageColumn,
  ],
  NetworkPolicy: [
    nameColumn,
    column('Pod-Selector', (policy) => text(selectorText(valueAt(policy, 'spec', 'podSelector')))),
    ageColumn,
  ],
  PriorityClass: [
    nameColumn,
    number('Value', 'value'),
    column('Global-Default', ({ globalDefault }) => globalDefault === true, { type: 'boolean' }),
    ageColumn,
    column('PreemptionPolicy', at('preemptionPolicy'), wide),
  ],
  Role: created,
  ClusterRole: created,
  CustomResourceDefinition: created,
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  MutatingWebhookConfiguration: webhookConfiguration,
  ValidatingWebhookConfiguration: webhookConfiguration,
};
