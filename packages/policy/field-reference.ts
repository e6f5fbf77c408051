// Every field of a policy with its kind, its default and its meaning, read off the schema: the reference page is made of
// this, so it cannot be behind.
import { customResourceDefinition } from './custom-resource-definition.ts';

export interface FieldEntry {
  /** `spec.metrics.custom[].name` */
  readonly field: string;
  /** `integer, 0 to 100000`, or the words that are allowed. */
  readonly kind: string;
  readonly required: boolean;
  /** As YAML; absent when there is none, or when a preset decides. */
  readonly byDefault?: string;
  readonly meaning: string;
}

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

/** The fields of the spec, parents before children, in the order of the schema. */
export function fieldReference(): FieldEntry[] {
  const { spec } = customResourceDefinition() as unknown as {
    spec: { versions: readonly { schema: { openAPIV3Schema: Schema } }[] };
  };
  return entriesOf('spec', spec.versions[0]!.schema.openAPIV3Schema.properties!['spec']!);
}

function entriesOf(at: string, schema: Schema): FieldEntry[] {
  const inner = schema.items ?? schema;
  const path = schema.items === undefined ? at : `${at}[]`;
  return Object.entries(inner.properties ?? {}).flatMap(([name, field]) => [
    entryOf(`${path}.${name}`, field, inner.required?.includes(name) ?? false),
    ...entriesOf(`${path}.${name}`, field),
  ]);
}

function entryOf(field: string, schema: Schema, required: boolean): FieldEntry {
  const meaning = schema.description ?? '';
  return {
    field,
    kind: kindOf(schema),
    required,
    ...(schema.default === undefined ? {} : { byDefault: String(schema.default) }),
    meaning,
  };
}

function kindOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.join(', ');
  if (schema.type === 'array') return `list, at most ${schema.maxItems}`;
  if (schema.type === undefined) return 'list or map';
  const { minimum, maximum, exclusiveMinimum } = schema;
  if (minimum === undefined || maximum === undefined) return schema.type;
  return `${schema.type}, ${exclusiveMinimum === true ? 'above ' : ''}${minimum} to ${maximum}`;
}
