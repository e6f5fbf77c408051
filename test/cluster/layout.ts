// Where a cluster keeps what: names, addresses and paths that outside and inside must agree on.
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One real cluster a machine: what it changes of the machine is named after this. */
export const clusterName = 'kubeai-real-cluster';
export const defaultDirectory = join(tmpdir(), clusterName);

/** Two, so that one can be drained while the other one goes on. They share a network, and nothing else. */
export const nodes = [
  { name: 'real', address: '10.88.0.1' },
  { name: 'real-2', address: '10.88.0.2' },
] as const;
export type ClusterNode = (typeof nodes)[number];
/** Of the control plane and the name server. */
export const controlAddress = nodes[0].address;
export const podRange = '10.244.0.0/16';
export const serviceRange = '10.96.0.0/16';
/** The first address of the range, which the API server takes for itself. */
export const apiServiceAddress = '10.96.0.1';
export const clusterDomain = 'cluster.local';
export const pauseImage = 'docker.io/kubeai/pause:local';

/** Paths under the cluster's directory. */
export const layout = (directory: string) => ({
  pki: join(directory, 'pki'),
  /** Everything the processes say, one file each. */
  logs: join(directory, 'logs'),
  /** The logs of containers, by node and pod. */
  pods: join(directory, 'pods'),
  /** The pid of each process as the cluster itself sees it. */
  pids: join(directory, 'pids'),
  adminKubeconfig: join(directory, 'admin.kubeconfig'),
  /** Leads into the cluster's network; see network-socket.ts. */
  networkSocket: join(directory, 'network.sock'),
  /** Everything of one node that is no log. */
  node: (name: string) => join(directory, name),
  containerdSocket: (name: string) => join(directory, name, 'containerd.sock'),
  /** What must be put back when the cluster is gone. */
  machine: join(directory, 'machine.json'),
});
