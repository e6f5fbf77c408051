// Speaking to Kubernetes: a pooled client for raw JSON, and the loops every controller needs around it.
export { type Backoff, createBackoff } from './backoff.ts';
export { type Condition, type NewCondition, withConditions } from './conditions.ts';
export { createDiscovery, type DiscoveredResource, type Discovery } from './discovery.ts';
export {
  createEventRecorder,
  type EventRecorder,
  type EventRecorderOptions,
  type EventSubject,
} from './event-recorder.ts';
export {
  type CallRecord,
  createKubeClient,
  isKubeError,
  type KubeClient,
  type KubeClientOptions,
  KubeError,
  type ListQuery,
  type PatchKind,
  type PatchOptions,
  type WatchEvent,
  type WatchQuery,
} from './kube-client.ts';
export { type KubeConfigSource, loadKubeConfig, PooledKubeConfig } from './kube-config.ts';
export {
  type KubeList,
  type KubeObject,
  keyOf,
  nameOf,
  type ObjectMeta,
  type ObjectName,
  type OwnerReference,
} from './kube-object.ts';
export { labelSelector } from './label-selector.ts';
export { createLeaderElection, type LeaderElection, type LeaderElectionOptions } from './leader-election.ts';
export { microTimeOf, timeOf } from './micro-time.ts';
export { createReflector, type Reflector, type ReflectorHandler, type ReflectorOptions } from './reflector.ts';
export { apiVersionOf, collectionPath, groupPath, objectPath, type Resource, resources } from './resource.ts';
export { readScale, type Scale, writeScale } from './scale.ts';
export {
  createWorkQueue,
  type WorkQueue,
  type WorkQueueObserver,
  type WorkQueueOptions,
  workOff,
} from './work-queue.ts';
