// One column of what `kubectl get` shows, and how ages are worded.
import type { Instant } from '@kubeai/units';
import { type JsonPath, valuesAt } from './json-path.ts';
import { type KubeObject, valueAt } from './kube-object.ts';

export type Cell = string | number | boolean | null;

export interface TableColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, more only with `-o wide`. */
  readonly priority: number;
  readonly cell: (object: KubeObject, now: Instant) => Cell;
}

const unknown = '<unknown>';

/** A span as kubectl prints ages: two units while young, one later. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 && days % 365 !== 0 ? `${years}y${days % 365}d` : `${years}y`;
}

/** How long ago a timestamp of an object was. */
export const ageOf = (timestamp: unknown, now: Instant): string =>
  typeof timestamp === 'string' ? humanDuration(now - Date.parse(timestamp)) : unknown;

export const column = (
  name: string,
  cell: TableColumn['cell'],
  options: Partial<Omit<TableColumn, 'name' | 'cell'>> = {},
): TableColumn => ({ type: 'string', priority: 0, name, cell, ...options });

export const nameColumn = column('Name', ({ metadata }) => metadata.name, { format: 'name' });
export const ageColumn = column('Age', ({ metadata }, now) => ageOf(metadata.creationTimestamp, now));

/** A column of a CRD. Lists print their items; a date prints its age. */
export function customColumn(
  { name, type, format, description, priority }: Omit<TableColumn, 'cell'>,
  path: JsonPath,
): TableColumn {
  const cell = (object: KubeObject, now: Instant): Cell => {
    const found = valuesAt(object, path);
    const [value] = found;
    if (value === undefined || value === null) return null;
    if (type === 'date') return ageOf(value, now);
    if (found.length > 1) return found.map(String).join(',');
    if (type === 'integer' || type === 'number') return typeof value === 'number' ? value : null;
    if (type === 'boolean') return typeof value === 'boolean' ? value : null;
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  };
  // The age is worked out here, so for kubectl it is text like any other.
  return {
    name,
    type: type === 'date' ? 'date' : type,
    priority,
    cell,
    ...(format && { format }),
    ...(description && { description }),
  };
}

/** `1/3`, with absent counts as 0. */
export const ratio = (object: KubeObject, ready: string, wanted: string): string =>
  `${Number(valueAt(object, 'status', ready) ?? 0)}/${Number(valueAt(object, 'spec', wanted) ?? 0)}`;
