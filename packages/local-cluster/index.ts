// A Kubernetes cluster in one process, for machines without one.
export { type LocalCluster, type LocalClusterOptions, startLocalCluster } from './cluster.ts';
export { ApiError, type ClusterClient, isApiError, type KubeObject } from './cluster-client.ts';
export { buildImages, plainImages } from './images.ts';
export type { ImageTable, LocalImage } from './kubelet/image-table.ts';
export type { NodeShape } from './kubelet/node.ts';
