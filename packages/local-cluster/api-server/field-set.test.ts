import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { builtInType } from './built-in-types.ts';
import { changedFields, difference, type FieldSet, fieldsOf, pathsOf, presentIn, union } from './field-set.ts';
import { equal, type KubeObject } from './kube-object.ts';
import { server } from './testing/applied-configurations.ts';

const type = builtInType('V1Pod');

/** Specs of pods with keyed lists, sets, maps and leaves, small enough to collide often. */
const name = fc.constantFrom('a', 'b', 'c');
const container = fc.record(
  {
    name,
    image: fc.constantFrom('x', 'y'),
    env: fc.uniqueArray(fc.record({ name, value: name }), { selector: (one) => one.name }),
  },
  { requiredKeys: ['name'] },
);
const spec = fc.record(
  {
    containers: fc.uniqueArray(container, { selector: (one) => one.name, maxLength: 3 }),
    nodeSelector: fc.dictionary(name, name, { maxKeys: 2 }),
    hostname: name,
    terminationGracePeriodSeconds: fc.nat(3),
  },
  { requiredKeys: [] },
);
const pod = spec.map((value): KubeObject => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: value }));
const set = pod.map((value) => fieldsOf(value, type));

const members = (of: FieldSet | undefined) => new Set(of === undefined ? [] : pathsOf(of));

test('sets of fields obey the laws of sets', () => {
  fc.assert(
    fc.property(set, set, (left, right) => {
      expect(equal(union(left, left), left)).toBe(true);
      expect(difference(left, left)).toBeUndefined();
      expect(members(union(left, right))).toEqual(members(union(right, left)));
    }),
    { numRuns: 200 },
  );
});

test('what an object sets is present in it, and a change is what the second object sets otherwise', () => {
  fc.assert(
    fc.property(pod, pod, (before, after) => {
      expect(equal(presentIn(fieldsOf(after, type), after, type), fieldsOf(after, type))).toBe(true);
      expect(changedFields(after, after, type)).toBeUndefined();
      for (const path of members(changedFields(before, after, type)))
        expect(members(fieldsOf(after, type)).has(path)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('applying the same again changes nothing, and one manager alone gets exactly what it says', () => {
  fc.assert(
    fc.property(pod, pod, (first, second) => {
      const once = server(type).apply('one', first).apply('one', second);
      expect(equal(once.object(), server(type).apply('one', second).object())).toBe(true);
      expect(equal(once.apply('one', second).object(), once.object())).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('with two managers, nobody loses what only they named', () => {
  fc.assert(
    fc.property(pod, pod, pod, (mine, theirs, next) => {
      const state = server(type).apply('me', mine).apply('them', theirs, true).apply('me', next, true);
      const holds = (fields: FieldSet) => equal(presentIn(fields, state.object(), type) ?? {}, fields);
      expect(holds(fieldsOf(next, type))).toBe(true);
      expect(holds(difference(fieldsOf(theirs, type), fieldsOf(next, type)) ?? {})).toBe(true);
    }),
    { numRuns: 300 },
  );
});
