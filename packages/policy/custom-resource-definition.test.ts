import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { customResourceText } from './custom-resource-definition.ts';
import { customResourceDefinition, parsePolicy } from './index.ts';

const repository = join(import.meta.dirname, '../..');
const file = join(repository, 'crds/kubeai.io_aiinferenceautoscalerpolicies.yaml');

type Schema = { [key: string]: unknown; properties?: Record<string, Schema>; items?: Schema };
const schema = (
  customResourceDefinition() as unknown as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } }
).spec.versions[0]!.schema.openAPIV3Schema;

/** Every schema below the root with its path. */
function schemasOf(at: string, node: Schema): [string, Schema][] {
  const properties = Object.entries(node.properties ?? {}).flatMap(([name, inner]) =>
    schemasOf(`${at}.${name}`, inner),
  );
  const items = node.items === undefined ? [] : schemasOf(`${at}[]`, node.items);
  return [[at, node], ...properties, ...items];
}
const all = schemasOf('', schema);

test('the file in crds/ is what the generator writes: run `npm run crd` after a change of the schema', () => {
  expect(readFileSync(file, 'utf8')).toBe(customResourceText());
});

test('the schema is structural: a type everywhere, no branches, no references, no closed objects', () => {
  const wrong = all.filter(([, node]) => {
    const typed = typeof node['type'] === 'string' || node['x-kubernetes-preserve-unknown-fields'] === true;
    return (
      !typed || ['anyOf', 'oneOf', 'allOf', 'not', '$ref', 'additionalProperties', '$schema'].some((key) => key in node)
    );
  });
  expect(wrong).toEqual([]);
});

test('every field of the spec is described for kubectl explain', () => {
  const silent = all.filter(
    ([at, node]) => at.startsWith('.spec') && !at.endsWith('[]') && typeof node['description'] !== 'string',
  );
  expect(silent.map(([at]) => at)).toEqual([]);
});

test('every list and string is bounded, so that the cost of the rules is bounded', () => {
  const open = all.filter(([at, node]) => {
    if (at === '.apiVersion' || at === '.kind') return false;
    if (node['type'] === 'array') return node['maxItems'] === undefined;
    return (
      node['type'] === 'string' &&
      node['maxLength'] === undefined &&
      node['enum'] === undefined &&
      node['format'] !== 'date-time'
    );
  });
  expect(open.map(([at]) => at)).toEqual([]);
});

test('a field that a preset may fill has no stored default', () => {
  const filled = [
    '.spec.cooldownPeriod',
    '.spec.scaleUp.stabilizationWindowSeconds',
    '.spec.scaleDown.stabilizationWindowSeconds',
  ];
  expect(all.filter(([at, node]) => filled.includes(at) && 'default' in node)).toEqual([]);
});

const ajv = new Ajv({ strict: false, useDefaults: true });
addFormats.default(ajv);
// OpenAPI 3.0 writes exclusiveMinimum as a flag beside minimum; ajv reads the JSON Schema form.
const judge = ajv.compile(
  JSON.parse(JSON.stringify(schema), (_key, value: Schema) => {
    if (value?.['exclusiveMinimum'] !== true) return value;
    const { minimum, ...rest } = value;
    return { ...rest, exclusiveMinimum: minimum };
  }) as object,
);

test.each(readdirSync(join(repository, 'examples/policies')))(
  'the example %s stands before an independent judge of the schema',
  (name) => {
    const policy: unknown = parse(readFileSync(join(repository, 'examples/policies', name), 'utf8'));
    judge(policy);
    expect(judge.errors).toBeNull();
    // The defaults of the definition were written into it, as an API server does; the meaning must not have moved.
    const original: unknown = parse(readFileSync(join(repository, 'examples/policies', name), 'utf8'));
    expect(parsePolicy(policy)).toEqual(parsePolicy(original));
  },
);
