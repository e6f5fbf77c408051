// Label and field selectors, as kubectl writes them in a query string and as objects carry them.
import { badRequest } from './api-error.ts';
import { isObject, type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import type { ResourceKind } from './resources.ts';

export type Matcher = (object: KubeObject) => boolean;

const everything: Matcher = () => true;

interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

function meets(labels: Record<string, string> | undefined, { key, operator, values }: Requirement): boolean {
  const value = labels?.[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

const setForm = /^([^\s!=(),]+)\s+(in|notin)\s*\(([^)]*)\)$/;
const equalityForm = /^([^\s!=(),]+)\s*(==|=|!=)\s*([^\s!=(),]*)$/;
const presenceForm = /^(!?)\s*([^\s!=(),]+)$/;

function requirementOf(term: string, selector: string): Requirement {
  const set = setForm.exec(term);
  if (set) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim());
    return { key: set[1] ?? '', operator: set[2] === 'in' ? 'In' : 'NotIn', values };
  }
  const equality = equalityForm.exec(term);
  if (equality) {
    return { key: equality[1] ?? '', operator: equality[2] === '!=' ? 'NotIn' : 'In', values: [equality[3] ?? ''] };
  }
  const presence = presenceForm.exec(term);
  if (presence) {
    return { key: presence[2] ?? '', operator: presence[1] === '!' ? 'DoesNotExist' : 'Exists', values: [] };
  }
  throw badRequest(`unable to parse requirement: found '${term}' in label selector ${JSON.stringify(selector)}`);
}

/** `app=web,tier in (a,b),!canary` */
export function labelMatcher(selector: string | undefined): Matcher {
  if (selector === undefined || selector.trim() === '') return everything;
  const terms = selector.split(/,(?![^(]*\))/).map((term) => term.trim());
  const requirements = terms.filter((term) => term !== '').map((term) => requirementOf(term, selector));
  return (object) => requirements.every((requirement) => meets(object.metadata.labels, requirement));
}

/** A `LabelSelector` object (matchLabels, matchExpressions). One that is absent matches nothing; an empty one everything. */
export function matchesSelector(selector: unknown, labels: Record<string, string> | undefined): boolean {
  if (!isObject(selector)) return false;
  const wanted = isObject(selector.matchLabels) ? selector.matchLabels : {};
  return (
    Object.entries(wanted).every(([key, value]) => labels?.[key] === value) &&
    listAt(selector, 'matchExpressions').every((expression) => meets(labels, expression as unknown as Requirement))
  );
}

/** A `LabelSelector` object (or a plain map of labels) in query-string form, as `status.selector` of a Scale carries it. */
export function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector;
  if (!isObject(selector)) return '';
  const labels = (isObject(selector.matchLabels) ? selector.matchLabels : {}) as JsonObject;
  const terms = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values } of listAt(selector, 'matchExpressions') as unknown as Requirement[]) {
    if (operator === 'Exists') terms.push(key);
    else if (operator === 'DoesNotExist') terms.push(`!${key}`);
    else terms.push(`${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`);
  }
  return terms.sort().join(',');
}

const fieldsByKind: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  Event: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
    'regarding.kind',
    'regarding.namespace',
    'regarding.name',
    'regarding.uid',
  ],
  Namespace: ['status.phase'],
  Node: ['spec.unschedulable'],
  Secret: ['type'],
  Service: ['spec.clusterIP', 'spec.type'],
  ReplicaSet: ['status.replicas'],
  Job: ['status.successful'],
};

/** Where a field of an event lies in storage, which is in the form of core/v1. */
const storedField = (field: string) =>
  field === 'source' ? 'source.component' : field.replace(/^regarding\./, 'involvedObject.');

/** `metadata.name=web,status.phase!=Running`; fields that the kind does not index are refused, as the real server does. */
export function fieldMatcher(selector: string | undefined, kind: ResourceKind): Matcher {
  if (selector === undefined || selector.trim() === '') return everything;
  const allowed = [
    'metadata.name',
    'metadata.namespace',
    ...(kind.custom ? kind.custom.selectableFields : (fieldsByKind[kind.kind] ?? [])),
  ];
  const terms = selector.split(/(?<!\\),/).map((term) => {
    const parts = /^([^!=]+)(==|=|!=)(.*)$/.exec(term.trim());
    if (!parts) throw badRequest(`invalid selector: '${selector}'; can't understand '${term}'`);
    const field = parts[1] ?? '';
    if (!allowed.includes(field)) throw badRequest(`field label not supported: ${field}`);
    const value = (parts[3] ?? '').replace(/\\(.)/g, '$1');
    return { path: storedField(field).split('.'), value, wanted: parts[2] !== '!=' };
  });
  return (object) =>
    terms.every(({ path, value, wanted }) => (String(valueAt(object, ...path) ?? '') === value) === wanted);
}

export const both = (left: Matcher, right: Matcher): Matcher =>
  left === everything ? right : right === everything ? left : (object) => left(object) && right(object);
