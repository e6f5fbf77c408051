// The way of a request from its target and body to the store and back, the same for HTTP and for code in this process:
// decode → defaults → field managers → mutating admission → kind rules → validation → validating admission → store.
// Steps that do not need the store are in write-steps.ts.
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Instant } from '@kubeai/units';
import type { Admission, Attempt } from './admission.ts';
import { ApiError, alreadyExists, badRequest, forbidden, isApiError, notFound, staleVersion } from './api-error.ts';
import { builtInType } from './built-in-types.ts';
import { changeErrors } from './change-validation.ts';
import { checkPreconditions, type Deletion, marked } from './deletion.ts';
import type { FieldType } from './field-type.ts';
import { decodeIncoming, readObject, setDefaults } from './incoming-object.ts';
import { copyOf, type JsonObject, type KubeObject, type ObjectMeta, valueAt } from './kube-object.ts';
import { limits } from './limits.ts';
import { createListing, type ListOptions, type ObjectList } from './listing.ts';
import { afterUpdate, managerOf, type Writer } from './managed-fields.ts';
import { dropMissingFields, type Version } from './missing-fields.ts';
import { metadataChangeErrors, metadataErrors } from './object-meta.ts';
import { type PatchKind, patched } from './patches.ts';
import { admitPod, randomSuffix } from './pod-admission.ts';
import { type Caller, type Target, timestamp, type WriteOptions } from './request.ts';
import { apiVersionOf, type ResourceKind, subjectOf } from './resources.ts';
import { scaleOf, withScale } from './scale.ts';
import { applied } from './server-side-apply.ts';
import type { Store } from './store.ts';
import { prepareCreate, prepareUpdate } from './strategies.ts';
import { servedForm, storedForm, storedModel } from './versions.ts';
import { createWatch, type Watch } from './watching.ts';
import {
  carried,
  contentErrors,
  namespaceHeld,
  refuse,
  scaled,
  serverFields,
  unchanged,
  warnDeprecated,
  withoutStatus,
} from './write-steps.ts';

export type Patch =
  | { readonly how: PatchKind; readonly patch: unknown }
  | { readonly how: 'apply'; readonly configuration: KubeObject; readonly force: boolean };

export interface Pipeline {
  get(target: Target): KubeObject;
  list(target: Target, options: ListOptions): ObjectList;
  readonly watch: Watch;
  create(caller: Caller, target: Target, input: JsonObject, options: WriteOptions): Promise<KubeObject>;
  update(caller: Caller, target: Target, input: JsonObject, options: WriteOptions): Promise<KubeObject>;
  /** `created` is true when an apply made the object. */
  patch(
    caller: Caller,
    target: Target,
    patch: Patch,
    options: WriteOptions,
  ): Promise<{ object: KubeObject; created: boolean }>;
  /** `removed` is false when finalizers or a grace period keep the object for now. */
  delete(caller: Caller, target: Target, deletion: Deletion): Promise<{ object: KubeObject; removed: boolean }>;
  deleteCollection(caller: Caller, target: Target, options: ListOptions, deletion: Deletion): Promise<ObjectList>;
}

export interface PipelineParts {
  readonly store: Store;
  readonly admission: Admission;
  /** The Kubernetes version to be like. */
  readonly version: Version;
  readonly now: () => Instant;
}

const typeOf = (kind: ResourceKind): FieldType => kind.custom?.schema.type ?? builtInType(kind.model);
const storedType = (kind: ResourceKind): FieldType => kind.custom?.schema.type ?? builtInType(storedModel(kind));

const optionsOf = (kind: string, { fieldManager, fieldValidation, dryRun }: WriteOptions): JsonObject => ({
  kind,
  apiVersion: 'meta.k8s.io/v1',
  ...(dryRun && { dryRun: ['All'] }),
  ...(fieldManager && { fieldManager }),
  ...(fieldValidation && { fieldValidation }),
});

export function createPipeline({ store, admission, version, now }: PipelineParts): Pipeline {
  const list = createListing(store);

  const writerOf = (
    caller: Caller,
    { kind, subresource }: Target,
    { fieldManager }: WriteOptions,
    operation: Writer['operation'],
  ): Writer => ({
    manager: managerOf(fieldManager, caller.agent),
    operation,
    apiVersion: apiVersionOf(kind),
    subresource,
    time: timestamp(now()),
  });

  const readable = (namespace: string, kind: ResourceKind, name: string): void => {
    const found = store.read('namespaces.', '', namespace);
    if (found === undefined) throw notFound({ group: '', resource: 'namespaces', name: namespace });
    if (found.metadata.deletionTimestamp === undefined) return;
    throw new ApiError(
      403,
      'Forbidden',
      forbidden(
        subjectOf(kind, name),
        `unable to create new content in namespace ${namespace} because it is being terminated`,
      ).message,
      {
        ...(name !== '' && { name }),
        ...(kind.group !== '' && { group: kind.group }),
        kind: kind.plural,
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: `namespace ${namespace} is being terminated`,
            field: 'metadata.namespace',
          },
        ],
      },
    );
  };

  const attemptOf = (
    caller: Caller,
    target: Target,
    options: WriteOptions,
    optionsKind: string,
    operation: Attempt['operation'],
    object: KubeObject | undefined,
    oldObject: KubeObject | undefined,
  ): Attempt => ({
    operation,
    kind: target.kind,
    namespace: target.kind.plural === 'namespaces' ? target.name || (object?.metadata.name ?? '') : target.namespace,
    name: target.name || (object?.metadata.name ?? ''),
    subresource: target.subresource,
    object: object && servedForm(object, target.kind),
    oldObject: oldObject && servedForm(oldObject, target.kind),
    dryRun: options.dryRun === true,
    options: optionsOf(optionsKind, options),
    user: caller.user,
    warn: caller.warn,
  });

  /** Decoding and defaults once more, for what a webhook made of the object. */
  const refined =
    (kind: ResourceKind, creating: boolean) =>
    (object: KubeObject): KubeObject => {
      const { value } = readObject(copyOf(object), kind);
      setDefaults(value, kind);
      if (creating && value.kind === 'Pod') admitPod(value, kind, store);
      return value;
    };

  const create = async (
    caller: Caller,
    target: Target,
    input: JsonObject,
    options: WriteOptions,
    entries?: ObjectMeta['managedFields'],
  ): Promise<KubeObject> => {
    const { kind } = target;
    const draft = decodeIncoming(input, target, options, caller);
    if (draft.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
    if (kind.namespaced) readable(target.namespace, kind, draft.metadata.name ?? '');
    warnDeprecated(kind, caller);
    for (const field of [...serverFields, 'managedFields'] as const) delete draft.metadata[field];
    let object = storedForm(draft, kind);
    setDefaults(object, kind);
    object.metadata.managedFields =
      entries ??
      afterUpdate(
        undefined,
        withoutStatus(object, kind),
        storedType(kind),
        writerOf(caller, target, options, 'Update'),
      );
    if (object.kind === 'Pod') admitPod(object, kind, store);
    object = storedForm(
      await admission.mutate(
        attemptOf(caller, target, options, 'CreateOptions', 'CREATE', object, undefined),
        refined(kind, true),
      ),
      kind,
    );
    object = Object.isFrozen(object) ? copyOf(object) : object;

    const { generateName } = object.metadata;
    const generated = !object.metadata.name && generateName;
    for (let tries = 1; ; tries += 1) {
      if (generated) object.metadata.name = `${generateName.slice(0, 58)}${randomSuffix()}`;
      object.metadata.name ??= '';
      object.metadata.uid = randomUUID();
      object.metadata.creationTimestamp = timestamp(now());
      dropMissingFields(object, version);
      const problems = prepareCreate(object, kind, store);
      refuse(
        [...problems, ...metadataErrors(object, kind), ...contentErrors(object, kind)],
        kind,
        object.metadata.name,
      );
      await admission.validate(attemptOf(caller, target, options, 'CreateOptions', 'CREATE', object, undefined));
      if (kind.namespaced) readable(target.namespace, kind, object.metadata.name);
      const taken = store.read(kind.storage, target.namespace, object.metadata.name) !== undefined;
      if (!taken && options.dryRun) return object;
      const stored = taken ? undefined : store.add(kind.storage, object);
      if (stored !== undefined) return stored;
      if (!generated || tries >= limits.generatedNames) throw alreadyExists(subjectOf(kind, object.metadata.name));
    }
  };

  /** Reads, lets `make` say what becomes of it, and writes; once more from the start when another writer came between. */
  const modify = async (
    caller: Caller,
    target: Target,
    options: WriteOptions,
    optionsKind: string,
    make: (current: KubeObject) => { input: JsonObject; applied?: boolean },
  ): Promise<KubeObject> => {
    const { kind, namespace, name, subresource } = target;
    warnDeprecated(kind, caller);
    for (let tries = 1; ; tries += 1) {
      const current = store.read(kind.storage, namespace, name);
      if (current === undefined) throw notFound(subjectOf(kind, name));
      const { input, applied: isApplied = false } = make(servedForm(current, kind));
      const draft = decodeIncoming(input, target, options, caller);
      const seen = draft.metadata.resourceVersion;
      if (seen !== undefined && seen !== '' && seen !== current.metadata.resourceVersion)
        throw staleVersion(subjectOf(kind, name));
      let object = carried(storedForm(draft, kind), current, target);
      setDefaults(object, kind);
      dropMissingFields(object, version);
      const problems = prepareUpdate(object, current, kind, subresource, store);
      if (!isApplied) {
        object.metadata.managedFields = afterUpdate(
          current,
          object,
          storedType(kind),
          writerOf(caller, target, options, 'Update'),
        );
      }
      if (subresource !== 'scale') {
        object = storedForm(
          await admission.mutate(
            attemptOf(caller, target, options, optionsKind, 'UPDATE', object, current),
            refined(kind, false),
          ),
          kind,
        );
        object = Object.isFrozen(object) ? copyOf(object) : object;
        dropMissingFields(object, version);
        problems.push(...prepareUpdate(object, current, kind, subresource, store));
      }
      refuse(
        [
          ...problems,
          ...metadataErrors(object, kind),
          ...metadataChangeErrors(current, object),
          ...(subresource === 'status' && kind.custom === undefined ? [] : contentErrors(object, kind)),
          ...changeErrors(current, object),
        ],
        kind,
        name,
      );
      await admission.validate(scaled(attemptOf(caller, target, options, optionsKind, 'UPDATE', object, current)));
      if (options.dryRun) return object;
      if (unchanged(current, object)) return current;
      const finished =
        object.metadata.deletionTimestamp !== undefined &&
        (object.metadata.finalizers ?? []).length === 0 &&
        (current.metadata.finalizers ?? []).length > 0 &&
        !(object.metadata.deletionGracePeriodSeconds ?? 0) &&
        !namespaceHeld(object);
      const stored = finished ? store.remove(kind.storage, current) : store.replace(kind.storage, current, object);
      if (stored !== undefined) return stored;
      // A write that names the version it has seen finds another one in the next round.
      if (tries >= limits.patchAttempts) throw staleVersion(subjectOf(kind, name));
      await nextTurn();
    }
  };

  const remove = async (
    caller: Caller,
    target: Target,
    deletion: Deletion,
  ): Promise<{ object: KubeObject; removed: boolean }> => {
    const { kind, namespace, name } = target;
    for (let tries = 1; ; tries += 1) {
      const current = store.read(kind.storage, namespace, name);
      if (current === undefined) throw notFound(subjectOf(kind, name));
      checkPreconditions(current, deletion, kind);
      const options: WriteOptions = { dryRun: deletion.dryRun };
      const attempt = attemptOf(caller, target, options, 'DeleteOptions', 'DELETE', undefined, current);
      await admission.validate({
        ...attempt,
        options: {
          ...attempt.options,
          ...(deletion.gracePeriodSeconds !== undefined && { gracePeriodSeconds: deletion.gracePeriodSeconds }),
          ...(deletion.propagationPolicy && { propagationPolicy: deletion.propagationPolicy }),
        },
      });
      if (deletion.dryRun) return { object: current, removed: true };
      const doomed = marked(current, kind, deletion, now());
      if (doomed === 'unchanged') return { object: current, removed: false };
      const stored =
        doomed === 'gone' ? store.remove(kind.storage, current) : store.replace(kind.storage, current, doomed);
      if (stored !== undefined) return { object: stored, removed: doomed === 'gone' };
      if (tries >= limits.patchAttempts) throw staleVersion(subjectOf(kind, name));
      await nextTurn();
    }
  };

  return {
    get(target) {
      const { kind, namespace, name, subresource } = target;
      const found = store.read(kind.storage, namespace, name);
      if (found === undefined) throw notFound(subjectOf(kind, name));
      return subresource === 'scale' && kind.scale ? scaleOf(found, kind.scale) : servedForm(found, kind);
    },
    list,
    watch: createWatch(store),
    create: async (caller, target, input, options) =>
      servedForm(await create(caller, target, input, options), target.kind),
    async update(caller, target, input, options) {
      const name = valueAt(input, 'metadata', 'name');
      if (name !== undefined && name !== target.name) {
        throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
      }
      const { scale } = target.kind;
      const object = await modify(caller, target, options, 'UpdateOptions', (current) => ({
        input: target.subresource === 'scale' && scale ? withScale(current, input as KubeObject, scale) : copyOf(input),
      }));
      return target.subresource === 'scale' && scale ? scaleOf(object, scale) : servedForm(object, target.kind);
    },
    async patch(caller, target, patch, options) {
      const { kind, subresource, namespace, name } = target;
      const { scale } = kind;
      const onScale = subresource === 'scale' && scale !== undefined;
      if (patch.how === 'apply') {
        const writer = writerOf(caller, target, options, 'Apply');
        const configuration = decodeIncoming(
          copyOf(patch.configuration),
          target,
          { ...options, fieldValidation: options.fieldValidation ?? 'Strict' },
          caller,
        );
        configuration.metadata.name ??= name;
        if (configuration.metadata.name !== name)
          throw badRequest(
            `the name of the object (${configuration.metadata.name}) does not match the name on the URL (${name})`,
          );
        if (store.read(kind.storage, namespace, name) === undefined) {
          if (subresource !== '') throw notFound(subjectOf(kind, name));
          const empty = {
            apiVersion: configuration.apiVersion,
            kind: configuration.kind,
            metadata: { name },
          } as KubeObject;
          const entries = applied(empty, configuration, typeOf(kind), writer, true, subjectOf(kind, name)).metadata
            .managedFields;
          return {
            object: servedForm(await create(caller, target, configuration, options, entries), kind),
            created: true,
          };
        }
        const object = await modify(caller, target, options, 'PatchOptions', (current) => ({
          input: copyOf(applied(current, configuration, typeOf(kind), writer, patch.force, subjectOf(kind, name))),
          applied: true,
        }));
        return { object: servedForm(object, kind), created: false };
      }
      if (patch.how === 'strategic' && kind.custom) throw unsupportedPatch();
      const object = await modify(caller, target, options, 'PatchOptions', (current) => {
        if (onScale) {
          const next = patched(scaleOf(current, scale), patch.patch, patch.how, kind, scaleType);
          return { input: withScale(current, next, scale) };
        }
        return { input: patched(current, patch.patch, patch.how, kind, typeOf(kind)) };
      });
      return { object: onScale ? scaleOf(object, scale) : servedForm(object, kind), created: false };
    },
    delete: async (caller, target, deletion) => {
      const { object, removed } = await remove(caller, target, deletion);
      return { object: servedForm(object, target.kind), removed };
    },
    async deleteCollection(caller, target, options, deletion) {
      const found = list(target, options);
      for (const { metadata } of found.items) {
        try {
          await remove(caller, { ...target, name: metadata.name, namespace: metadata.namespace ?? '' }, deletion);
        } catch (error) {
          if (!isApiError(error, 404)) throw error;
        }
      }
      return found;
    },
  };
}

const scaleType: FieldType = { form: 'any' };

const unsupportedPatch = () =>
  new ApiError(
    415,
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
  );
