// Fields that an older Kubernetes does not have. Its server takes them out of what it is sent without a word, and a client
// that counted on them finds out by what happens then: that is what tests with an older version are for.
import { type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';

export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** `1.36` or `v1.36.2`. Throws an Error for anything else. */
export function readVersion(text: string): Version & { readonly patch: number } {
  const [, major, minor, patch = '0'] = /^v?(\d+)\.(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (major === undefined || minor === undefined) throw new Error(`${text} is no Kubernetes version such as 1.36`);
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

/** Native sidecars are there from 1.28, and switched on from 1.29. */
const hasSidecars = ({ major, minor }: Version): boolean => major > 1 || minor >= 29;

/** Takes out of an object, in place, what a server of this version does not keep. */
export function dropMissingFields(object: KubeObject, version: Version): void {
  if (hasSidecars(version)) return;
  const spec = object.kind === 'Pod' ? object.spec : valueAt(object.spec, 'template', 'spec');
  for (const container of listAt(spec, 'initContainers') as JsonObject[]) delete container.restartPolicy;
}
