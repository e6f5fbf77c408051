// The nodes of the local cluster as objects: what they offer to the scheduler, and a Lease that says they live. All of
// them are this one machine; several names only give the scheduler something to decide.
import type { Timer } from '@kubeai/daemon';
import type { World } from '../workloads/controller.ts';
import { podsPerNode } from '../workloads/limits.ts';
import type { Condition, Node, Quantities } from '../workloads/objects.ts';
import { microTimeOf, timeOf } from '../workloads/time.ts';
import { heartbeat, leaseSeconds } from './limits.ts';

/** What a node offers; given as quantities. Requests count against it, limits are not enforced. */
export interface NodeShape {
  readonly name: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly gpus?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

export const hostAddress = '127.0.0.1';
const leaseNamespace = 'kube-node-lease';
const architectures: Record<string, string> = { x64: 'amd64' };
/** Room for a rehearsal: pods here are processes that share the machine, whatever their manifests ask for. */
const defaultCpu = '64';
const defaultMemory = '512Gi';

export interface NodeReport {
  stop(): void;
}

/** Creates the nodes (or brings present ones up to date) and keeps their Leases fresh. */
export async function reportNodes(
  shapes: readonly NodeShape[],
  kubernetesVersion: string,
  world: World,
): Promise<NodeReport> {
  for (const shape of shapes) await writeNode(shape, kubernetesVersion, world);
  const beat = () => {
    for (const { name } of shapes) {
      renewLease(name, world).catch((cause: unknown) => world.log.debug('Lease not renewed', { node: name, cause }));
    }
  };
  beat();
  const timer: Timer = world.clock.every(heartbeat, beat);
  return { stop: () => timer.stop() };
}

async function writeNode(shape: NodeShape, version: string, { client, clock }: World): Promise<void> {
  const { name } = shape;
  const arch = architectures[process.arch] ?? process.arch;
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': arch,
    ...(shape.gpus ? { 'nvidia.com/gpu.present': 'true' } : {}),
    ...shape.labels,
  };
  const metadata = { name, labels };
  if ((await client.find('nodes', { name })) === undefined) await client.create('nodes', { metadata });
  else await client.patch('nodes', { name }, { metadata }, { type: 'merge' });
  const capacity = capacityOf(shape);
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: {
      capacity,
      allocatable: capacity,
      conditions: conditionsAt(clock.now()),
      addresses: [
        { type: 'InternalIP', address: hostAddress },
        { type: 'Hostname', address: name },
      ],
      nodeInfo: {
        architecture: arch,
        bootID: '',
        containerRuntimeVersion: 'local://1',
        kernelVersion: '',
        kubeProxyVersion: '',
        kubeletVersion: version,
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'processes of this machine',
        systemUUID: '',
      },
    },
  };
  await client.updateStatus('nodes', node);
}

export const capacityOf = ({ cpu, memory, gpus }: NodeShape): Quantities => ({
  cpu: cpu ?? defaultCpu,
  memory: memory ?? defaultMemory,
  pods: String(podsPerNode),
  ...(gpus ? { 'nvidia.com/gpu': String(gpus) } : {}),
});

function conditionsAt(now: number): Condition[] {
  const condition = (type: string, status: string, reason: string, message: string): Condition => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: timeOf(now),
  });
  return [
    condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
  ];
}

async function renewLease(node: string, { client, clock }: World): Promise<void> {
  const name = { name: node, namespace: leaseNamespace };
  const spec = { holderIdentity: node, leaseDurationSeconds: leaseSeconds, renewTime: microTimeOf(clock.now()) };
  const lease = { metadata: name, spec };
  if ((await client.find('leases.coordination.k8s.io', name)) === undefined) {
    await client.create('leases.coordination.k8s.io', lease);
  } else {
    await client.patch('leases.coordination.k8s.io', name, { spec }, { type: 'merge' });
  }
}
