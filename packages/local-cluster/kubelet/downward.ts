// What a pod may ask about itself: fieldRef and resourceFieldRef. Pure.

import { quantityOf } from '../api-server/quantity.ts';
import type { Container, FieldRef, Pod, ResourceFieldRef } from '../workloads/objects.ts';
import type { Amounts } from '../workloads/placement.ts';

/** What the kubelet knows and the object may not say yet. */
export interface PodFacts {
  readonly pod: Pod;
  readonly podIP: string;
  readonly hostIP: string;
  /** What stands in for a missing limit. */
  readonly allocatable: Amounts;
}

/** The text of a field, or undefined for a path that is none. */
export function fieldOf({ pod, podIP, hostIP }: PodFacts, { fieldPath }: FieldRef): string | undefined {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath);
  if (subscript !== null) return metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2]!] ?? '';
  const fields: Record<string, string> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace ?? '',
    'metadata.uid': metadata.uid ?? '',
    'metadata.labels': listed(metadata.labels),
    'metadata.annotations': listed(metadata.annotations),
    'spec.nodeName': spec.nodeName ?? '',
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.podIP': podIP,
    'status.podIPs': podIP,
    'status.hostIP': hostIP,
    'status.hostIPs': hostIP,
  };
  return fields[fieldPath];
}

const listed = (entries: Record<string, string> = {}): string =>
  Object.entries(entries)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join('\n');

/** A request or limit in units of the divisor, rounded up; a missing limit is what the node has. */
export function resourceOf(
  facts: PodFacts,
  container: Container | undefined,
  ref: ResourceFieldRef,
): string | undefined {
  const match = /^(requests|limits)\.(.+)$/.exec(ref.resource);
  if (match === null || container === undefined) return undefined;
  const name = match[2]!;
  const { limits, requests } = container.resources ?? {};
  const given = match[1] === 'requests' ? (requests?.[name] ?? limits?.[name] ?? 0) : limits?.[name];
  const amount = given === undefined ? (facts.allocatable[name] ?? 0) : (quantityOf(given) ?? 0);
  const divisor = quantityOf(ref.divisor ?? 1) || 1;
  // Tenths of a millicore are noise of binary fractions, not a reason to round up.
  return String(Math.ceil(Number((amount / divisor).toFixed(6))));
}
