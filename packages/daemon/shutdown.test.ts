import { expect, test } from '@jest/globals';
import { seconds } from '@kubeai/units';
import { createLog } from './log.ts';
import { onShutdown } from './shutdown.ts';

const log = createLog({ level: 'silent', name: 'tested' });

function process() {
  const listeners = new Map<string, () => void>();
  const exits: number[] = [];
  return {
    exits,
    send: (signal: string) => listeners.get(signal)!(),
    on: (signal: string, listener: () => void) => listeners.set(signal, listener),
    exit: (code: number) => exits.push(code) as never,
  };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test.each([
  ['SIGTERM', 0],
  ['SIGINT', 130],
])('%s runs the work once and exits %d', async (signal, code) => {
  const target = process();
  let runs = 0;
  onShutdown(target, { deadline: seconds(60), log }, async () => void runs++);
  target.send(signal);
  await settled();
  expect([runs, target.exits]).toEqual([1, [code]]);
});

test('a second signal does not wait and does not run the work again', async () => {
  const target = process();
  let runs = 0;
  onShutdown(target, { deadline: seconds(0.05), log }, () => {
    runs += 1;
    return new Promise(() => undefined);
  });
  target.send('SIGTERM');
  target.send('SIGINT');
  expect([runs, target.exits]).toEqual([1, [130]]);
});

test('work that fails or outlasts the deadline ends in 1', async () => {
  const failing = process();
  onShutdown(failing, { deadline: seconds(60), log }, () => Promise.reject(new Error('no')));
  failing.send('SIGTERM');
  await settled();
  const slow = process();
  const shutdown = onShutdown(slow, { deadline: seconds(0), log }, () => new Promise(() => undefined));
  shutdown.begin('LeaseLost', 1);
  while (slow.exits.length === 0) await settled();
  expect([failing.exits, slow.exits]).toEqual([[1], [1]]);
});
