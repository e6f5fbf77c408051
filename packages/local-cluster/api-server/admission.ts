// Admission webhooks: which of them a request concerns, in which order they are asked, and what their answers do. The
// review they get is the real server's AdmissionReview v1, field by field.
// Not evaluated: matchConditions (CEL). A webhook that has some is called as if they held, which its own rules must bear
// anyway, because conditions only save calls.
import { randomUUID } from 'node:crypto';
import jsonPatch, { type Operation } from 'fast-json-patch';
import { ApiError, badRequest, internalError } from './api-error.ts';
import { copyOf, equal, isObject, type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import { limits } from './limits.ts';
import type { ResourceKind } from './resources.ts';
import { matchesSelector } from './selectors.ts';
import type { ServerLog } from './server-log.ts';
import type { Store } from './store.ts';
import type { UserInfo } from './tokens.ts';
import type { WebhookAddress, WebhookCaller } from './webhook-call.ts';

export interface Attempt {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly kind: ResourceKind;
  /** What the object itself is, where a subresource takes another kind than its resource (Scale, Eviction). */
  readonly objectKind?: { readonly group: string; readonly version: string; readonly kind: string };
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly dryRun: boolean;
  readonly options: JsonObject;
  readonly user: UserInfo;
  readonly warn: (warning: string) => void;
}

export interface Admission {
  /** The object after every mutating webhook. `refine` decodes and defaults it again after each change. */
  mutate(attempt: Attempt, refine: (object: KubeObject) => KubeObject): Promise<KubeObject>;
  /** Throws the refusal of the first validating webhook that objects. */
  validate(attempt: Attempt): Promise<void>;
}

interface Webhook {
  readonly name: string;
  readonly failurePolicy: 'Ignore' | 'Fail';
  readonly timeoutSeconds: number;
  readonly sideEffects: string;
  readonly reinvoke: boolean;
  readonly source: JsonObject;
}

const mutating = 'mutatingwebhookconfigurations.admissionregistration.k8s.io';
const validating = 'validatingwebhookconfigurations.admissionregistration.k8s.io';

const webhookOf = (source: JsonObject): Webhook => ({
  name: String(source.name),
  failurePolicy: source.failurePolicy === 'Ignore' ? 'Ignore' : 'Fail',
  timeoutSeconds: Number(source.timeoutSeconds ?? 10),
  sideEffects: String(source.sideEffects),
  reinvoke: source.reinvocationPolicy === 'IfNeeded',
  source,
});

export function createAdmission(store: Store, caller: WebhookCaller, log: ServerLog): Admission {
  const concerned = (configurations: string, attempt: Attempt): Webhook[] => {
    // Nobody may lock themselves out: the configurations are never sent to webhooks.
    if (attempt.kind.group === 'admissionregistration.k8s.io' || store.count(configurations) === 0) return [];
    return store
      .list(configurations, '')
      .flatMap((configuration) => listAt(configuration, 'webhooks'))
      .filter((webhook) => isConcerned(webhook, attempt, store))
      .map(webhookOf);
  };

  const ask = async (webhook: Webhook, attempt: Attempt): Promise<JsonObject | undefined> => {
    if (attempt.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
      throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
    }
    const uid = randomUUID();
    const body = JSON.stringify({
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: reviewRequest(uid, attempt),
    });
    try {
      return responseOf(await caller.call(addressOf(webhook.source, store), body, webhook.timeoutSeconds), uid);
    } catch (cause) {
      const why = `failed calling webhook ${JSON.stringify(webhook.name)}: ${(cause as Error).message}`;
      if (webhook.failurePolicy === 'Fail') throw internalError(why);
      log.warn('Failed open at a webhook', { webhook: webhook.name, why });
      return undefined;
    }
  };

  const admitted = (webhook: Webhook, response: JsonObject, warn: Attempt['warn']): void => {
    for (const warning of Array.isArray(response.warnings) ? response.warnings : []) warn(String(warning));
    if (response.allowed !== true) throw refusal(webhook.name, response.status);
  };

  return {
    async mutate(attempt, refine) {
      const webhooks = concerned(mutating, attempt);
      let object = attempt.object;
      if (object === undefined || webhooks.length === 0) return object ?? ({} as KubeObject);
      const seen = new Map<Webhook, KubeObject>();
      for (let round = 0; round < limits.admissionRounds; round += 1) {
        for (const webhook of webhooks) {
          // A second round is for those that asked for it and whose object has changed since they saw it.
          if (round > 0 && (!webhook.reinvoke || equal(seen.get(webhook), object))) continue;
          const response = await ask(webhook, { ...attempt, object });
          if (response !== undefined) {
            admitted(webhook, response, attempt.warn);
            object = refine(patchedBy(webhook, response, object));
          }
          seen.set(webhook, object);
        }
      }
      return object;
    },
    async validate(attempt) {
      const webhooks = concerned(validating, attempt);
      if (webhooks.length === 0) return;
      await Promise.all(
        webhooks.map(async (webhook) => {
          const response = await ask(webhook, attempt);
          if (response !== undefined) admitted(webhook, response, attempt.warn);
        }),
      );
    },
  };
}

function isConcerned(webhook: JsonObject, attempt: Attempt, store: Store): boolean {
  if (!listAt(webhook, 'rules').some((rule) => ruleMatches(rule, attempt))) return false;
  const { kind, object, oldObject } = attempt;
  if (kind.namespaced || kind.plural === 'namespaces') {
    const labels =
      kind.plural === 'namespaces'
        ? (object ?? oldObject)?.metadata.labels
        : store.read('namespaces.', '', attempt.namespace)?.metadata.labels;
    if (!matchesSelector(webhook.namespaceSelector ?? {}, labels)) return false;
  }
  const selector = webhook.objectSelector ?? {};
  return [object, oldObject].some((one) => one !== undefined && matchesSelector(selector, one.metadata?.labels));
}

function ruleMatches(rule: JsonObject, { operation, kind, subresource }: Attempt): boolean {
  const has = (field: string, value: string) => {
    const list = rule[field];
    return Array.isArray(list) && (list.includes('*') || list.includes(value));
  };
  if (!has('operations', operation) || !has('apiGroups', kind.group) || !has('apiVersions', kind.version)) return false;
  const scope = rule.scope ?? '*';
  if (scope !== '*' && scope !== (kind.namespaced ? 'Namespaced' : 'Cluster')) return false;
  const resources = Array.isArray(rule.resources) ? rule.resources : [];
  return resources.some((resource) => {
    const [name, sub = ''] = String(resource).split('/');
    return (name === '*' || name === kind.plural) && (sub === subresource || sub === '*');
  });
}

function reviewRequest(uid: string, attempt: Attempt): JsonObject {
  const { kind, subresource, namespace, user } = attempt;
  const { group, version } = kind;
  const own = attempt.objectKind ?? { group, version, kind: kind.kind };
  const kindName = { group: own.group, version: own.version, kind: own.kind };
  const resource = { group, version, resource: kind.plural };
  return {
    uid,
    kind: kindName,
    resource,
    ...(subresource !== '' && { subResource: subresource }),
    requestKind: kindName,
    requestResource: resource,
    ...(subresource !== '' && { requestSubResource: subresource }),
    ...(attempt.name !== '' && { name: attempt.name }),
    ...(namespace !== '' && { namespace }),
    operation: attempt.operation,
    userInfo: {
      username: user.username,
      ...(user.uid !== undefined && { uid: user.uid }),
      groups: user.groups,
      ...(user.extra && { extra: user.extra }),
    },
    object: attempt.operation === 'DELETE' ? null : (attempt.object ?? null),
    oldObject: attempt.oldObject ?? null,
    dryRun: attempt.dryRun,
    options: attempt.options,
  };
}

function addressOf(webhook: JsonObject, store: Store): WebhookAddress {
  const bundle = valueAt(webhook, 'clientConfig', 'caBundle');
  const caBundle = typeof bundle === 'string' && bundle !== '' ? bundle : undefined;
  const url = valueAt(webhook, 'clientConfig', 'url');
  if (typeof url === 'string') {
    const parsed = new URL(url);
    return { url: parsed, host: undefined, port: Number(parsed.port || 443), caBundle };
  }
  const service = valueAt(webhook, 'clientConfig', 'service') as JsonObject;
  const { namespace, name, path = '/', port = 443 } = service;
  const found = store.read('services.', String(namespace), String(name));
  if (found === undefined) throw new Error(`failed to call webhook: service ${JSON.stringify(name)} not found`);
  const servicePort = listAt(found, 'spec', 'ports').find((one) => one.port === port);
  if (servicePort === undefined) {
    throw new Error(`failed to call webhook: no service port ${port} found for service ${JSON.stringify(name)}`);
  }
  const endpoint = readyEndpoint(store, String(namespace), String(name), servicePort.name);
  if (endpoint === undefined) {
    throw new Error(`failed to call webhook: no endpoints available for service ${JSON.stringify(name)}`);
  }
  return { url: new URL(`https://${name}.${namespace}.svc:${port}${path}`), ...endpoint, caBundle };
}

/**
 * Any endpoint of the Service. The Service's own address will not do: webhooks are asked on port 443, and where
 * we run without rights the proxy cannot listen there.
 */
function readyEndpoint(store: Store, namespace: string, service: string, portName: unknown) {
  const slices = store
    .list('endpointslices.discovery.k8s.io', namespace)
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === service);
  const ready = slices.flatMap((slice) => {
    const port = listAt(slice, 'ports').find((one) => (one.name ?? '') === (portName ?? ''))?.port;
    return listAt(slice, 'endpoints')
      .filter((endpoint) => valueAt(endpoint, 'conditions', 'ready') !== false)
      .map((endpoint) => ({ host: String((endpoint.addresses as unknown[])[0]), port: Number(port) }));
  });
  return ready[Math.floor(Math.random() * ready.length)];
}

function responseOf(review: unknown, uid: string): JsonObject {
  const response = valueAt(review, 'response');
  if (valueAt(review, 'apiVersion') !== 'admission.k8s.io/v1' || valueAt(review, 'kind') !== 'AdmissionReview') {
    throw new Error(
      `received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${valueAt(review, 'apiVersion')}, Kind=${valueAt(review, 'kind')}`,
    );
  }
  if (!isObject(response)) throw new Error('received invalid webhook response: webhook response was absent');
  if (response.uid !== uid)
    throw new Error(
      `received invalid webhook response: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid)}`,
    );
  return response;
}

function refusal(name: string, status: unknown): ApiError {
  const code = Number(valueAt(status, 'code') ?? 0);
  const message = valueAt(status, 'message');
  const reason = valueAt(status, 'reason');
  const said = typeof message === 'string' && message !== '' ? message : typeof reason === 'string' ? reason : '';
  const text =
    said === ''
      ? 'denied the request without explanation'
      : `denied the request: ${said.slice(0, limits.webhookMessageCharacters)}`;
  const details = valueAt(status, 'details');
  return new ApiError(
    code >= 400 && code < 600 ? code : 403,
    typeof reason === 'string' ? reason : 'Forbidden',
    `admission webhook ${JSON.stringify(name)} ${text}`,
    isObject(details) ? details : undefined,
  );
}

function patchedBy({ name }: Webhook, response: JsonObject, object: KubeObject): KubeObject {
  if (response.patch === undefined || response.patch === null || response.patch === '') return object;
  if (response.patchType !== 'JSONPatch')
    throw internalError(`webhook ${JSON.stringify(name)} returned response.patch but not response.patchType`);
  try {
    const operations = JSON.parse(Buffer.from(String(response.patch), 'base64').toString('utf8')) as Operation[];
    return jsonPatch.applyPatch(copyOf(object), operations, true).newDocument;
  } catch (cause) {
    throw internalError(
      `admission webhook ${JSON.stringify(name)} returned a patch that does not apply: ${(cause as Error).message.split('\n')[0]}`,
    );
  }
}
