// Turns a CustomResourceDefinition into kinds of the registry, and says in its conditions whether that worked.
import { type FieldError, invalidField, requiredField } from './api-error.ts';
import { parseJsonPath } from './json-path.ts';
import { isObject, type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import type { Registry } from './registry.ts';
import type { ResourceKind, ScalePaths } from './resources.ts';
import { createCustomSchema } from './structural-schema.ts';
import { customColumn, type TableColumn } from './table-columns.ts';

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
const pathOf = (value: unknown): string[] => text(value).replace(/^\./, '').split('.');

/** Every kind that the definition serves, one a version. The storage version comes first, it is the preferred one. */
export function kindsOf(crd: KubeObject): ResourceKind[] {
  const spec = crd.spec as JsonObject;
  const names = (isObject(spec.names) ? spec.names : {}) as JsonObject;
  const served = listAt(spec, 'versions').filter((version) => version.served === true);
  const ordered = [...served].sort((left, right) => Number(right.storage === true) - Number(left.storage === true));
  return ordered.map((version) => ({
    group: text(spec.group),
    version: text(version.name),
    kind: text(names.kind),
    listKind: text(names.listKind) || `${text(names.kind)}List`,
    plural: text(names.plural),
    singular: text(names.singular) || text(names.kind).toLowerCase(),
    shortNames: texts(names.shortNames),
    categories: texts(names.categories),
    namespaced: spec.scope === 'Namespaced',
    status: isObject(valueAt(version, 'subresources', 'status')),
    scale: scaleOf(valueAt(version, 'subresources', 'scale')),
    subresources: [],
    generation: true,
    review: false,
    names: 'subdomain',
    model: '',
    storage: `${text(names.plural)}.${text(spec.group)}`,
    custom: {
      schema: createCustomSchema((valueAt(version, 'schema', 'openAPIV3Schema') ?? {}) as JsonObject),
      columns: listAt(version, 'additionalPrinterColumns').map(columnOf),
      selectableFields: listAt(version, 'selectableFields').map(({ jsonPath }) => pathOf(jsonPath).join('.')),
      deprecated:
        version.deprecated === true
          ? text(version.deprecationWarning) ||
            `${text(spec.group)}/${text(version.name)} ${text(names.kind)} is deprecated`
          : undefined,
    },
  }));
}

function scaleOf(scale: unknown): ScalePaths | undefined {
  if (!isObject(scale)) return undefined;
  return {
    specReplicas: pathOf(scale.specReplicasPath),
    statusReplicas: pathOf(scale.statusReplicasPath),
    selector: scale.labelSelectorPath === undefined ? undefined : pathOf(scale.labelSelectorPath),
  };
}

function columnOf({ name, type, format, description, priority, jsonPath }: JsonObject): TableColumn {
  return customColumn(
    {
      name: text(name),
      type: text(type) as TableColumn['type'],
      priority: typeof priority === 'number' ? priority : 0,
      ...(format !== undefined && { format: text(format) }),
      description: text(description),
    },
    parseJsonPath(text(jsonPath)),
  );
}

/** What must be right before a definition can be served; the real server also checks that the schema is structural. */
export function definitionProblems(crd: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const spec = isObject(crd.spec) ? crd.spec : {};
  const names = (isObject(spec.names) ? spec.names : {}) as JsonObject;
  const required = ['group', 'scope'].filter((field) => text(spec[field]) === '').map((field) => `spec.${field}`);
  required.push(
    ...['plural', 'kind'].filter((field) => text(names[field]) === '').map((field) => `spec.names.${field}`),
  );
  errors.push(...required.map((field) => requiredField(field)));
  const name = `${text(names.plural)}.${text(spec.group)}`;
  if (required.length === 0 && crd.metadata.name !== name) {
    errors.push(invalidField('metadata.name', crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  const versions = listAt(spec, 'versions');
  if (versions.length === 0)
    errors.push(requiredField('spec.versions', 'must have exactly one version marked as storage version'));
  else if (versions.filter(({ storage }) => storage === true).length !== 1) {
    errors.push(
      invalidField(
        'spec.versions',
        versions.map((one) => one.name),
        'must have exactly one version marked as storage version',
      ),
    );
  }
  for (const [index, version] of versions.entries()) {
    const place = `spec.versions[${index}]`;
    const schema = valueAt(version, 'schema', 'openAPIV3Schema');
    if (!isObject(schema)) errors.push(requiredField(`${place}.schema.openAPIV3Schema`, 'schemas are required'));
    else if (schema.type !== 'object') {
      errors.push(
        invalidField(`${place}.schema.openAPIV3Schema.type`, schema.type ?? '', 'must be object at the root'),
      );
    }
    for (const [at, column] of listAt(version, 'additionalPrinterColumns').entries()) {
      try {
        parseJsonPath(text(column.jsonPath));
      } catch (cause) {
        errors.push(
          invalidField(`${place}.additionalPrinterColumns[${at}].jsonPath`, column.jsonPath, (cause as Error).message),
        );
      }
    }
  }
  return errors;
}

/** The status a definition deserves: names accepted unless another kind of the group has them, established when so. */
export function definitionStatus(crd: KubeObject, registry: Registry, now: string): JsonObject {
  const spec = crd.spec as JsonObject;
  const names = spec.names as JsonObject;
  const rivals = registry.kinds().filter((kind) => kind.group === spec.group && kind.storage !== crd.metadata.name);
  const taken = rivals.find((kind) => kind.plural === names.plural || kind.kind === names.kind);
  const accepted = taken === undefined;
  const previous = listAt(crd, 'status', 'conditions');
  const condition = (type: string, status: string, reason: string, message: string) => {
    const before = previous.find((one) => one.type === type);
    return {
      type,
      status,
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
      reason,
      message,
    };
  };
  const stored = listAt(spec, 'versions').find((version) => version.storage === true);
  return {
    acceptedNames: accepted
      ? { listKind: `${text(names.kind)}List`, singular: text(names.kind).toLowerCase(), ...names }
      : { plural: '', kind: '' },
    conditions: [
      accepted
        ? condition('NamesAccepted', 'True', 'NoConflicts', 'no conflicts found')
        : condition('NamesAccepted', 'False', 'KindConflict', `${shownName(taken)} is already in use`),
      accepted
        ? condition('Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted')
        : condition('Established', 'False', 'NotAccepted', 'not all names are accepted'),
    ],
    storedVersions: [...new Set([...texts(valueAt(crd, 'status', 'storedVersions')), text(stored?.name)])],
  };
}

const shownName = (kind: ResourceKind) => JSON.stringify(`${kind.plural}.${kind.group}`);
