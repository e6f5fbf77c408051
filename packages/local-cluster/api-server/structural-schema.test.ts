import { expect, test } from '@jest/globals';
import type { JsonObject, KubeObject } from './kube-object.ts';
import { createCustomSchema } from './structural-schema.ts';

const schema = createCustomSchema({
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      'x-kubernetes-validations': [
        { rule: '!has(self.min) || self.min <= self.max', message: 'min must not exceed max' },
      ],
      properties: {
        size: { type: 'string', enum: ['small', 'large'] },
        min: { type: 'integer', minimum: 0 },
        max: { type: 'integer', default: 3, exclusiveMinimum: true, minimum: 0 },
        limit: { 'x-kubernetes-int-or-string': true },
        note: { type: 'string', maxLength: 3, nullable: true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        nested: { type: 'object', default: {}, properties: { on: { type: 'boolean', default: true } } },
        parts: {
          type: 'array',
          maxItems: 2,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, weight: { type: 'number', default: 1 } },
          },
        },
      },
    },
  },
});

const widget = (spec: JsonObject): KubeObject => ({
  apiVersion: 'x/v1',
  kind: 'Widget',
  metadata: { name: 'w' },
  spec,
});

test('defaults fill in, also inside defaulted objects and items, and never replace', () => {
  const object = widget({ size: 'small', max: 9, parts: [{ name: 'a' }, { name: 'b', weight: 2 }] });
  schema.applyDefaults(object);
  expect(object.spec).toEqual({
    size: 'small',
    max: 9,
    nested: { on: true },
    parts: [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 2 },
    ],
  });
});

test('a null where none may stand is as good as nothing, but not among the items of a list', () => {
  const object = widget({
    size: null,
    min: null,
    max: null,
    limit: null,
    note: null,
    free: { kept: null },
    labels: { a: null, b: 'c' },
    parts: [{ name: 'a', weight: null }, null],
  });
  schema.applyDefaults(object);
  expect(object.spec).toEqual({
    max: 3,
    note: null,
    free: { kept: null },
    labels: { b: 'c' },
    nested: { on: true },
    parts: [{ name: 'a', weight: 1 }, null],
  });
});

test('unknown fields are pruned and named, except where the schema keeps them', () => {
  const object = widget({
    size: 'small',
    bogus: 1,
    free: { any: { thing: 1 } },
    labels: { a: 'b' },
    parts: [{ name: 'a', odd: 1 }],
  });
  expect(schema.prune(object)).toEqual(['unknown field "spec.bogus"', 'unknown field "spec.parts[0].odd"']);
  expect(object.spec).toEqual({
    size: 'small',
    free: { any: { thing: 1 } },
    labels: { a: 'b' },
    parts: [{ name: 'a' }],
  });
});

test.each<[JsonObject, string[]]>([
  [{ size: 'small' }, []],
  [{ size: 'small', limit: '50%' }, []],
  [{ size: 'small', limit: 5, note: null }, []],
  [{}, ['spec.size: Required value']],
  [{ size: 'huge' }, ['spec.size: Unsupported value: "huge": supported values: "large", "small"']],
  [{ size: 'small', min: -1 }, ['spec.min: Invalid value: -1: spec.min in body should be greater than or equal to 0']],
  [{ size: 'small', max: 0 }, ['spec.max: Invalid value: 0: spec.max in body should be greater than 0']],
  [
    { size: 'small', min: '1' },
    ['spec.min: Invalid value: "string": spec.min in body must be of type integer: "string"'],
  ],
  [
    { size: 'small', limit: true },
    ['spec.limit: Invalid value: "boolean": spec.limit in body must be of type integer,string: "boolean"'],
  ],
  [{ size: 'small', note: 'long' }, ['spec.note: Too long: may not be more than 3 bytes']],
  [{ size: 'small', parts: [{ name: 'a' }, { name: 'a' }] }, ['spec.parts[1]: Duplicate value: {"name":"a"}']],
  [
    { size: 'small', parts: [{}, { name: 'a' }, { name: 'b' }] },
    ['spec.parts: Too many: 3: must have at most 2 items', 'spec.parts[0].name: Required value'],
  ],
  [{ size: 'small', min: 5, max: 4 }, ['spec: Invalid value: "object": min must not exceed max']],
])('%j → %j', (spec, expected) => {
  expect(schema.validate(widget(spec)).map(({ field, message }) => `${field}: ${message}`)).toEqual(expected);
});
