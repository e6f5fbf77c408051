// Events have two faces, core/v1 and events.k8s.io/v1, over one storage, which is in the form of core/v1.
import type { JsonObject, KubeObject } from './kube-object.ts';
import { apiVersionOf, type ResourceKind } from './resources.ts';

/** Names in events.k8s.io/v1 and in core/v1. */
const renamed = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
] as const;

function rename(object: KubeObject, apiVersion: string, from: 0 | 1, to: 0 | 1): KubeObject {
  const result: JsonObject = { ...object, apiVersion };
  for (const pair of renamed) {
    const value = result[pair[from]];
    delete result[pair[from]];
    if (value !== undefined) result[pair[to]] = value;
  }
  return result as KubeObject;
}

/** The object as it is stored. Custom kinds are stored in whichever version they were written: they have no conversion. */
export const storedForm = (object: KubeObject, kind: ResourceKind): KubeObject =>
  kind.group === 'events.k8s.io' ? rename(object, 'v1', 0, 1) : object;

const served = new WeakMap<KubeObject, Map<string, KubeObject>>();

/** The object as this kind's version shows it; the stored object itself where that is the same. */
export function servedForm(object: KubeObject, kind: ResourceKind): KubeObject {
  const apiVersion = apiVersionOf(kind);
  if (object.apiVersion === apiVersion) return object;
  const convert = () => (kind.group === 'events.k8s.io' ? rename(object, apiVersion, 1, 0) : { ...object, apiVersion });
  // Only what can no longer change is worth remembering.
  if (!Object.isFrozen(object)) return convert();
  let versions = served.get(object);
  if (versions === undefined) {
    versions = new Map();
    served.set(object, versions);
  }
  let form = versions.get(apiVersion);
  if (form === undefined) {
    form = convert();
    versions.set(apiVersion, form);
  }
  return form;
}
