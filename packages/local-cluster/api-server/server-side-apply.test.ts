import { expect, test } from '@jest/globals';
import { builtInType } from './built-in-types.ts';
import { type KubeObject, valueAt } from './kube-object.ts';
import { afterUpdate, type Writer } from './managed-fields.ts';
import { applied } from './server-side-apply.ts';

const type = builtInType('V1Deployment');
const subject = { group: 'apps', resource: 'deployments', name: 'web' };

const writer = (manager: string, operation: Writer['operation'] = 'Apply'): Writer => ({
  manager,
  operation,
  apiVersion: 'apps/v1',
  subresource: '',
  time: '2026-01-01T00:00:00Z',
});

const deployment = (spec: object, labels?: Record<string, string>): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', ...(labels && { labels }) },
  spec,
});
const withContainers = (...containers: object[]) => ({ template: { spec: { containers } } });

/** Applies one configuration after the other, each as `manager: configuration`. */
function history(...steps: [manager: string, configuration: KubeObject, force?: boolean][]): KubeObject {
  const empty: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } };
  return steps.reduce(
    (live, [manager, configuration, force]) =>
      applied(live, configuration, type, writer(manager), force === true, subject),
    empty,
  );
}
const ownersOf = (object: KubeObject) => (object.metadata.managedFields ?? []).map(({ manager }) => manager);

test('what a manager no longer names is removed', () => {
  const live = history(['a', deployment({ replicas: 2, paused: true })], ['a', deployment({ replicas: 3 })]);
  expect(live.spec).toEqual({ replicas: 3 });
});

test('what two managers name stays until both let go', () => {
  const both = history(
    ['a', deployment({ replicas: 2 })],
    ['b', deployment({ replicas: 2 })],
    ['a', deployment({ paused: true })],
  );
  expect(both.spec).toEqual({ replicas: 2, paused: true });
});

test('an item of a keyed list goes with its last owner, with the defaults it was given', () => {
  const live = history(['a', deployment(withContainers({ name: 'x', image: '1' }, { name: 'y', image: '1' }))]);
  const [x, y] = valueAt(live, 'spec', 'template', 'spec', 'containers') as object[];
  const defaulted = { ...live, spec: withContainers({ ...x, imagePullPolicy: 'Always' }, y as object) };
  const next = applied(
    defaulted,
    deployment(withContainers({ name: 'y', image: '1' })),
    type,
    writer('a'),
    false,
    subject,
  );
  expect(next.spec).toEqual(withContainers({ name: 'y', image: '1' }));
});

test('fields that others own in an item survive it', () => {
  const live = history(
    ['a', deployment(withContainers({ name: 'x', image: '1' }))],
    ['b', deployment(withContainers({ name: 'x', workingDir: '/' }))],
    ['a', deployment({ replicas: 1 })],
  );
  expect(live.spec).toEqual({ replicas: 1, ...withContainers({ name: 'x', workingDir: '/' }) });
});

test('another value for an owned field is a conflict that names the manager and the field', () => {
  expect(() => history(['a', deployment({ replicas: 2 })], ['b', deployment({ replicas: 3 })])).toThrow(
    'Apply failed with 1 conflict: conflict with "a": .spec.replicas',
  );
});

test('several conflicts are listed', () => {
  expect(() =>
    history(
      ['a', deployment({ replicas: 2, ...withContainers({ name: 'x', image: '1' }) })],
      ['b', deployment({ replicas: 3, ...withContainers({ name: 'x', image: '2' }) })],
    ),
  ).toThrow(
    'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.replicas\n- .spec.template.spec.containers[name="x"].image',
  );
});

test('force takes the field and its former owner forgets it', () => {
  const live = history(['a', deployment({ replicas: 2 })], ['b', deployment({ replicas: 3 }), true]);
  expect(live.spec).toEqual({ replicas: 3 });
  expect(ownersOf(live)).toEqual(['b']);
});

test('an update takes ownership of exactly what it changed', () => {
  const live = history(['a', deployment({ replicas: 2, paused: true })]);
  const next = { ...live, spec: { replicas: 5, paused: true } };
  const entries = afterUpdate(live, next, type, writer('scaler', 'Update'));
  expect(entries.map(({ manager, fieldsV1 }) => [manager, fieldsV1])).toEqual([
    ['a', { 'f:spec': { 'f:paused': {} } }],
    ['scaler', { 'f:spec': { 'f:replicas': {} } }],
  ]);
});

test('an update by the same manager that changes nothing keeps its entry', () => {
  const object = deployment({ replicas: 1 });
  const first = afterUpdate(undefined, object, type, writer('a', 'Update'));
  const live = { ...object, metadata: { ...object.metadata, managedFields: first } };
  expect(afterUpdate(live, live, type, { ...writer('a', 'Update'), time: '2027-01-01T00:00:00Z' })).toEqual(first);
});

test('a set field is owned value by value', () => {
  const finalized = (...finalizers: string[]): KubeObject => ({
    ...deployment({}),
    metadata: { name: 'web', finalizers },
  });
  const live = history(['a', finalized('one/x')], ['b', finalized('two/x')], ['a', deployment({})]);
  expect(live.metadata.finalizers).toEqual(['two/x']);
});

test('a configuration decides the order of its items; those of others keep their place', () => {
  const names = (...all: string[]) => withContainers(...all.map((name) => ({ name })));
  const live = history(
    ['b', deployment(names('z', 'y'))],
    ['a', deployment(names('x', 'y', 'w'))],
    ['a', deployment(names('w', 'x', 'y'))],
  );
  expect(live.spec).toEqual(names('z', 'w', 'x', 'y'));
});
