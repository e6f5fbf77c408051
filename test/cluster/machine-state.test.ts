import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runWithoutTrace } from './cluster-run.ts';
import { difference, machineState } from './machine-state.ts';
import { MachineCannot } from './programs.ts';

let directory: string;
beforeAll(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'machine-state-')), 'cluster');
});
afterAll(() => rm(join(directory, '..'), { recursive: true, force: true }));

test('what was there before is no trace, in whatever order; what is new is', () => {
  expect(
    difference(['mount 1 of proc', 'network interface lo'], ['network interface lo', 'network interface veth0']),
  ).toEqual(['network interface veth0']);
});

/** What the machine looks like, for runs of this file: others may run clusters meanwhile. */
let machine: string[] = [];

interface Interrupt {
  now(): void;
}

async function run(work: (signal: AbortSignal, interrupt: Interrupt) => Promise<number>) {
  const said: string[] = [];
  const listeners: (() => void)[] = [];
  machine = ['mount 1 of proc'];
  const code = await runWithoutTrace(
    { name: 'test', directory, look: async () => [...machine], patienceMs: 0 },
    {
      env: {},
      stderr: { write: (text: string) => said.push(text.trim()) },
      on: (signal, listener) => signal === 'SIGINT' && listeners.push(listener),
    },
    (signal) => work(signal, { now: () => listeners[0]?.() }),
  );
  return { code, said };
}

test('a run that leaves nothing has the exit code of its work', async () => {
  expect(await run(async () => 3)).toEqual({ code: 3, said: [] });
});

test('a run that fails says why, in a line', async () => {
  const work = () => Promise.reject(new Error('etcd did not get ready'));
  expect(await run(work)).toEqual({ code: 1, said: ['test: etcd did not get ready'] });
});

test('what the machine turns out to lack is no failure of ours', async () => {
  const work = () => Promise.reject(new MachineCannot('the Go modules cannot be had'));
  expect(await run(work)).toEqual({ code: 2, said: ['test: this machine cannot: the Go modules cannot be had'] });
});

test('a run that is interrupted ends when its work has, without complaint', async () => {
  const work = async (signal: AbortSignal, interrupt: Interrupt) => {
    interrupt.now();
    signal.throwIfAborted();
    return 0;
  };
  expect(await run(work)).toEqual({ code: 130, said: [] });
});

test('what stays makes a run fail, and is named', async () => {
  const work = async () => {
    machine.push('network interface veth0');
    return 0;
  };
  expect(await run(work)).toEqual({ code: 1, said: ['test: left behind: network interface veth0'] });
});

test.each<[string, string[], object]>([
  ['by its command line', ['sh', '-c', 'read line', 'sh'], {}],
  ['by its environment', ['sh', '-c', 'read line'], { HOME: true }],
])('a process of ours is found %s', async (_how, [program = '', ...words], variables) => {
  const before = await machineState(directory, []);
  const env = Object.fromEntries(Object.keys(variables).map((name) => [name, directory]));
  const child = spawn(program, words.at(-1) === 'sh' ? [...words, directory] : words, {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await new Promise((resolve) => child.once('spawn', resolve));
  const left = difference(before, await machineState(directory, [])).filter((line) => line.startsWith('process '));
  child.kill('SIGKILL');
  expect(left).toEqual([expect.stringContaining(`process ${child.pid}:`)]);
});
