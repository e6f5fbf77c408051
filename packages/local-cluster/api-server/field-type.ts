// What a field may hold and how several writers share it: the one description behind decoding, strategic merge patches,
// server-side apply and OpenAPI. Built-in kinds get theirs from built-in-types.ts, custom ones from their CRD's schema.

export type Scalar = 'string' | 'integer' | 'number' | 'boolean' | 'intOrString' | 'time' | 'microTime' | 'bytes';

export interface FieldType {
  readonly form: 'object' | 'map' | 'list' | 'scalar' | 'any';
  readonly scalar?: Scalar | undefined;
  /** Width of an integer as OpenAPI names it: int32 or int64. */
  readonly format?: string | undefined;
  /** Of an object: its fields. Built when first asked for, because types contain themselves. */
  readonly fields?: Readonly<Record<string, FieldType>> | undefined;
  readonly required?: readonly string[] | undefined;
  /** Of an object: fields that no one described are kept. */
  readonly open?: boolean | undefined;
  /** Of a map or list: what it holds. */
  readonly values?: FieldType | undefined;
  /** Server-side apply: one manager owns the whole value. */
  readonly atomic?: boolean | undefined;
  /** Server-side apply: items are told apart by these fields (list), or by their own value (set). */
  readonly keys?: readonly string[] | undefined;
  readonly set?: boolean | undefined;
  /** Strategic merge: items are merged by this field, or as a set of scalars where it is ''. */
  readonly mergeKey?: string | undefined;
  /** Strategic merge: a patch may name the only fields that stay. */
  readonly retainKeys?: boolean | undefined;
  /** The model's name, where OpenAPI refers to it. */
  readonly name?: string | undefined;
}

export const anything: FieldType = { form: 'any' };

/** The type of one field of an object, one value of a map, one item of a list; anything where nobody described it. */
export function typeOfField(type: FieldType, field: string): FieldType {
  if (type.form === 'map') return type.values ?? anything;
  if (type.form !== 'object' || type.fields === undefined) return anything;
  return Object.hasOwn(type.fields, field) ? (type.fields[field] ?? anything) : anything;
}

export const itemType = (type: FieldType): FieldType => (type.form === 'list' ? (type.values ?? anything) : anything);
