// The server's ClusterClient: the same pipeline as over HTTP, without sockets. Events are handed over in turns of their
// own, in order, so that a callback that writes cannot run inside another write.
import type { Instant } from '@kubeai/units';
import type { ClusterClient, Draft, ObjectName, ResourceName, WatchEvent } from '../cluster-client.ts';
import { isApiError, noSuchPath } from './api-error.ts';
import { copyOf, type JsonObject, type KubeObject } from './kube-object.ts';
import { limits } from './limits.ts';
import type { Patch, Pipeline } from './pipeline.ts';
import type { Registry } from './registry.ts';
import { type Caller, targetOf } from './request.ts';
import type { ResourceKind } from './resources.ts';
import type { ServerLog } from './server-log.ts';
import { requestToken } from './subresources.ts';
import type { Tokens } from './tokens.ts';

/** `user` is both who asks and the field manager of its writes. */
export function createInProcessClient(
  pipeline: Pipeline,
  registry: Registry,
  tokens: Tokens,
  now: () => Instant,
  user: string,
  log: ServerLog,
): ClusterClient {
  const warn = (warning: string) => log.info('A write was warned about', { user, warning });
  const caller: Caller = {
    user: { username: user, groups: ['system:masters', 'system:authenticated'] },
    agent: user,
    warn,
  };
  const options = { fieldManager: user.split(':').at(-1) ?? user };

  const kindOf = (resource: ResourceName): ResourceKind => {
    const kind = registry.named(resource);
    if (kind === undefined) throw noSuchPath();
    return kind;
  };
  const at = (resource: ResourceName, { name, namespace = '' }: ObjectName, subresource = '') =>
    targetOf(kindOf(resource), namespace, name, subresource);
  const drafted = (object: Draft) => copyOf(object) as unknown as JsonObject;
  const nameOf = ({ metadata }: Draft): ObjectName => ({ name: metadata.name ?? '', namespace: metadata.namespace });

  const client: ClusterClient = {
    user,
    read: async <Kind>(resource: ResourceName, name: ObjectName) => pipeline.get(at(resource, name)) as Kind,
    async find<Kind>(resource: ResourceName, name: ObjectName) {
      try {
        return pipeline.get(at(resource, name)) as Kind;
      } catch (error) {
        if (isApiError(error, 404)) return undefined;
        throw error;
      }
    },
    async list<Kind>(resource: ResourceName, { namespace = '', ...selectors } = {}) {
      const { items, resourceVersion } = pipeline.list(targetOf(kindOf(resource), namespace, ''), selectors);
      return { items: items as unknown as Kind[], resourceVersion };
    },
    create: async <Kind>(resource: ResourceName, object: Draft) =>
      (await pipeline.create(caller, at(resource, { ...nameOf(object), name: '' }), drafted(object), options)) as Kind,
    update: async <Kind>(resource: ResourceName, object: Draft) =>
      (await pipeline.update(caller, at(resource, nameOf(object)), drafted(object), options)) as Kind,
    updateStatus: async <Kind>(resource: ResourceName, object: Draft) =>
      (await pipeline.update(caller, at(resource, nameOf(object), 'status'), drafted(object), options)) as Kind,
    async patch<Kind>(
      resource: ResourceName,
      name: ObjectName,
      body: unknown,
      {
        type,
        subresource = '',
        force = false,
      }: { type: string; subresource?: string | undefined; force?: boolean | undefined },
    ) {
      const patch: Patch =
        type === 'apply'
          ? { how: 'apply', configuration: body as KubeObject, force }
          : { how: type as 'json' | 'merge' | 'strategic', patch: body };
      const { object } = await pipeline.patch(caller, at(resource, name, subresource), patch, options);
      return object as unknown as Kind;
    },
    async delete(resource, name, deletion = {}) {
      await pipeline.delete(caller, at(resource, name), deletion);
    },
    watch<Kind extends KubeObject>(
      resource: ResourceName,
      { namespace = '', resourceVersion, ...selectors }: Parameters<ClusterClient['watch']>[1],
      onEvent: (event: WatchEvent<Kind>) => void,
    ) {
      let waiting: WatchEvent<Kind>[] = [];
      let started = false;
      let stopped = false;
      const deliver = () => {
        const events = waiting;
        waiting = [];
        for (const event of events) if (!stopped) onEvent(event);
      };
      const after = resourceVersion === undefined ? undefined : Number(resourceVersion);
      const stop = pipeline.watch(targetOf(kindOf(resource), namespace, ''), { after, ...selectors }, (event) => {
        if (!started && after === undefined) return onEvent(event as WatchEvent<Kind>);
        if (waiting.length === 0) setImmediate(deliver);
        if (waiting.length >= limits.clientBacklogEvents) throw new Error(`a watch on ${resource} does not keep up`);
        waiting.push(event as WatchEvent<Kind>);
      });
      started = true;
      return () => {
        stopped = true;
        stop();
      };
    },
    async issueToken(account, { audiences = [], expirationSeconds = 3600, pod }) {
      const spec = { audiences, expirationSeconds, ...(pod && { boundObjectRef: { kind: 'Pod', ...pod } }) };
      const { status } = requestToken(pipeline.get(at('serviceaccounts', account)), { spec }, tokens, now());
      return status as { token: string; expirationTimestamp: string };
    },
  };
  return client;
}
