// What the vectors leave to the reader: label selectors, formulas, requests. The rules themselves are in test/conformance.
import { expect, test } from '@jest/globals';
import { createKpa, isPaused, reconcileHpa, targetConflict, valueOfFormula } from './index.ts';

test.each([
  ['app=chat', { app: 'chat' }, true],
  ['app==chat,tier!=gold', { app: 'chat' }, true],
  ['app!=chat', { app: 'chat' }, false],
  ['app in (chat, code)', { app: 'code' }, true],
  ['app notin (chat)', {}, true],
  ['app notin (chat)', { app: 'chat' }, false],
  ['app', { app: '' }, true],
  ['!app', { app: '' }, false],
] as const)('%s of another policy claims %j: %s', (selector, labels, claimed) => {
  expect(targetConflict('name=x', { name: 'x', ...labels }, [selector])).toBe(
    claimed ? 'AmbiguousSelector' : undefined,
  );
});

test.each([null, '', 'a=b=c', 'in (a)', 'a in b'])('%j is no selector', (selector) => {
  expect(targetConflict(selector, {}, [])).toBe('InvalidSelector');
});

test.each([
  ['a + b * 2', 11],
  ['(a + b) * 2', 16],
  ['a - b - 1', 1],
  ['a / 2 % 2', 0.5],
  ['-a + 10', 5],
  ['gone ?? a', 5],
  ['gone ?? gone ?? 9', 9],
  ['min(a, b) + max(a, b, 7)', 10],
] as const)('the formula %s gives %d', (formula, expected) => {
  expect(valueOfFormula(formula, { a: 5, b: 3, gone: null }, null, null)).toBe(expected);
});

test.each(['gone + a', 'a / 0', 'a +', '(a', 'nobody', 'a b', 'a; b', 'min(a', ''])(
  'the formula %j has no value',
  (formula) => {
    expect(valueOfFormula(formula, { a: 5, gone: null }, null, null)).toBeUndefined();
    const fallback = { failureThreshold: 3, replicas: 4 };
    expect(valueOfFormula(formula, { a: 5, gone: null }, fallback, 10)).toBe(40);
  },
);

test.each([
  [null, null, false],
  ['false', null, false],
  ['0', null, false],
  ['', null, true],
  ['false', '', true],
] as const)('paused %j and paused size %j: %s', (paused, size, expected) => {
  expect(isPaused(paused, size)).toBe(expected);
});

test('a pass whose size cannot be read or written changes nothing', () => {
  const pass = {
    minReplicas: 1,
    maxReplicas: 10,
    specReplicas: 2,
    statusReplicas: 2,
    tolerance: { up: 0.1, down: 0.1 },
    cpuInitializationSeconds: 300,
    initialReadinessDelaySeconds: 30,
    behavior: null,
    defaultScaleUpLimit: { factor: 2, minimum: 4 },
    downscaleStabilizationSeconds: 300,
    recommendations: [],
    changes: { up: [], down: [] },
    scaleToZeroEnabled: false,
    scaledToZeroBefore: false,
    readScaleError: false,
    writeScaleError: false,
    pods: [],
    metrics: [{ kind: 'external_average' as const, target: 1n, podValues: [], values: [4n], error: false }],
  };
  expect(reconcileHpa(pass)).toMatchObject({ desiredReplicas: 4, scaled: true });
  expect(reconcileHpa({ ...pass, readScaleError: true })).toMatchObject({
    desiredReplicas: 2,
    error: 'FailedGetScale',
  });
  expect(reconcileHpa({ ...pass, writeScaleError: true })).toMatchObject({
    desiredReplicas: 2,
    error: 'FailedUpdateScale',
  });
});

test('KPA never shrinks in panic', () => {
  const spec = {
    target: 10,
    total: 10,
    targetBurstCapacity: 0,
    panicThreshold: 2,
    maxScaleUpRate: 10,
    maxScaleDownRate: 10,
    stableWindowSeconds: 60,
    scaleDownDelaySeconds: 0,
    activationScale: 1,
    reachable: true,
  };
  const scaler = createKpa(spec, 1, 0);
  const sizes = [100, 10, 10].map((load, step) => {
    const decided = scaler.decide({ at: 2 * step, readyPods: 5, stable: load, panic: load });
    return decided.valid ? decided.desired : undefined;
  });
  expect(sizes).toEqual([10, 10, 10]);
});
