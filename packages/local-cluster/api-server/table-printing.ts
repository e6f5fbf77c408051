// What `kubectl get` shows. The server makes the table (columns and cells), kubectl only aligns it; so the columns of
// built-in kinds follow the real server's printers, and custom kinds print their additionalPrinterColumns.
import type { Instant } from '@kubeai/units';
import { builtInColumns } from './built-in-columns.ts';
import type { KubeObject } from './kube-object.ts';
import type { ResourceKind } from './resources.ts';
import { ageColumn, column, nameColumn, type TableColumn } from './table-columns.ts';

const createdColumn = column('Created At', ({ metadata }) => metadata.creationTimestamp ?? '<unknown>', {
  type: 'date',
});

function columnsOf(kind: ResourceKind): readonly TableColumn[] {
  if (kind.custom === undefined) return builtInColumns[kind.kind] ?? [nameColumn, createdColumn];
  return [
    nameColumn,
    ...(kind.custom.columns.length > 0 ? kind.custom.columns : [{ ...ageColumn, type: 'date' as const }]),
  ];
}

const definitions = new WeakMap<ResourceKind, string>();

function definitionsOf(kind: ResourceKind): string {
  let json = definitions.get(kind);
  if (json === undefined) {
    json = JSON.stringify(
      columnsOf(kind).map(({ name, type, format, description, priority }) => ({
        name,
        type,
        format: format ?? '',
        description: description ?? '',
        priority,
      })),
    );
    definitions.set(kind, json);
  }
  return json;
}

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export const partialMetadata = (object: KubeObject): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: object.metadata,
});

/** The JSON of a Table with one row an object. `metadata` is the list's (or, for one object, its resourceVersion). */
export function tableJson(
  kind: ResourceKind,
  objects: readonly KubeObject[],
  metadata: Readonly<Record<string, unknown>>,
  include: IncludeObject,
  now: Instant,
): string {
  const columns = columnsOf(kind);
  const rows = objects.map((object) => ({
    cells: columns.map(({ cell }) => cell(object, now)),
    ...(include !== 'None' && { object: include === 'Metadata' ? partialMetadata(object) : object }),
  }));
  return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":${JSON.stringify(metadata)},"columnDefinitions":${definitionsOf(kind)},"rows":${JSON.stringify(rows)}}`;
}
