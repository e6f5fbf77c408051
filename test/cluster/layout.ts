// Where a cluster keeps what: names, addresses and paths that outside and inside must agree on.
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One real cluster a machine: what it changes of the machine is named after this. */
export const clusterName = 'kubeai-cluster';
export const defaultDirectory = join(tmpdir(), clusterName);

export const nodeName = 'real';
export const nodeAddress = '10.88.0.1';
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
  pods: join(directory, 'pods'),
  /** The pid of each process as the cluster itself sees it. */
  pids: join(directory, 'pids'),
  adminKubeconfig: join(directory, 'admin.kubeconfig'),
  /** Leads into the cluster's network: connections to it arrive at the API server. */
  apiSocket: join(directory, 'api.sock'),
  containerdSocket: join(directory, 'containerd.sock'),
  /** What must be put back when the cluster is gone. */
  machine: join(directory, 'machine.json'),
});
