import { expect, test } from '@jest/globals';
import { builtInType } from './built-in-types.ts';
import { valueAt } from './kube-object.ts';
import { strategicMerge } from './strategic-merge.ts';

const pod = builtInType('V1Pod');
const containers = (...list: object[]) => ({ spec: { containers: list } });

const check = (current: object, patch: object) => valueAt(strategicMerge(current, patch, pod), 'spec');

test.each<[string, object, object, object]>([
  [
    'merges containers by name and leaves the others alone',
    containers({ name: 'a', image: '1' }, { name: 'b', image: '1' }),
    containers({ name: 'b', image: '2' }),
    {
      containers: [
        { name: 'a', image: '1' },
        { name: 'b', image: '2' },
      ],
    },
  ],
  [
    'adds a container it does not know',
    containers({ name: 'a' }),
    containers({ name: 'b' }),
    { containers: [{ name: 'a' }, { name: 'b' }] },
  ],
  [
    'deletes an item by $patch',
    containers({ name: 'a' }, { name: 'b' }),
    containers({ name: 'a', $patch: 'delete' }),
    { containers: [{ name: 'b' }] },
  ],
  [
    'replaces a merged list by $patch: replace',
    containers({ name: 'a' }, { name: 'b' }),
    containers({ $patch: 'replace' }, { name: 'c' }),
    { containers: [{ name: 'c' }] },
  ],
  [
    'orders a list as $setElementOrder says',
    containers({ name: 'a' }, { name: 'b' }, { name: 'c' }),
    {
      spec: {
        containers: [{ name: 'd' }],
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'd' }, { name: 'a' }],
      },
    },
    { containers: [{ name: 'c' }, { name: 'b' }, { name: 'd' }, { name: 'a' }] },
  ],
  [
    'replaces lists without a merge key',
    containers({ name: 'a', command: ['x', 'y'] }),
    containers({ name: 'a', command: ['z'] }),
    { containers: [{ name: 'a', command: ['z'] }] },
  ],
  [
    'removes a field by null, a whole map too',
    { spec: { nodeName: 'n', nodeSelector: { a: 'b' }, hostname: 'h' } },
    { spec: { nodeName: null, nodeSelector: null } },
    { hostname: 'h' },
  ],
  [
    'keeps only the named keys of a volume by $retainKeys',
    { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
    { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'configMap'], configMap: { name: 'c' } }] } },
    { volumes: [{ name: 'v', configMap: { name: 'c' } }] },
  ],
  [
    'merges nested keyed lists',
    containers({ name: 'a', env: [{ name: 'X', value: '1' }], ports: [{ containerPort: 80 }] }),
    containers({ name: 'a', env: [{ name: 'Y', value: '2' }], ports: [{ containerPort: 80, name: 'http' }] }),
    {
      containers: [
        {
          name: 'a',
          env: [
            { name: 'X', value: '1' },
            { name: 'Y', value: '2' },
          ],
          ports: [{ containerPort: 80, name: 'http' }],
        },
      ],
    },
  ],
])('a strategic merge %s', (_, current, patch, expected) => {
  expect(check(current, patch)).toEqual(expected);
});

test('finalizers merge as a set and are deleted one by one', () => {
  const current = { metadata: { finalizers: ['a', 'b'] } };
  const added = strategicMerge(current, { metadata: { finalizers: ['b', 'c'] } }, pod);
  expect(valueAt(added, 'metadata', 'finalizers')).toEqual(['a', 'b', 'c']);
  const removed = strategicMerge(current, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }, pod);
  expect(valueAt(removed, 'metadata', 'finalizers')).toEqual(['b']);
});

test('an item without its merge key is refused', () => {
  expect(() => check(containers({ name: 'a' }), containers({ image: 'x' }))).toThrow(
    /does not contain declared merge key: name/,
  );
});
