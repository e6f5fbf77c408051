import { expect, test } from '@jest/globals';
import { createManualClock } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import type { Container, Probe } from '../workloads/objects.ts';
import { startProbes } from './container-probes.ts';
import type { HandlerHost } from './handler.ts';

const exec = (name: string, probe: Probe): Probe => ({ exec: { command: [name] }, ...probe });

/** Runs the probes against scripted answers (+ or -, the last one repeats) and tells what was heard, second by second. */
async function timeline(container: Partial<Container>, answers: Record<string, string>, length: number) {
  const clock = createManualClock();
  const heard: string[] = [];
  const host: HandlerHost = {
    address: '127.64.0.1',
    container: { name: 'c', ...container },
    userAgent: 'kube-probe/test',
    clock,
    async execute([name = '']) {
      const left = answers[name] ?? '';
      if (left.length > 1) answers[name] = left.slice(1);
      return { ok: left.startsWith('+'), message: 'said no' };
    },
  };
  const say = (text: string) => heard.push(`${clock.now() / 1000}s ${text}`);
  const probes = startProbes(host.container, host, {
    onStarted: () => say('started'),
    onReady: (ready) => say(ready ? 'ready' : 'unready'),
    onUnhealthy: (kind) => say(`${kind} failed`),
    onDead: (kind) => say(`killed by ${kind}`),
  });
  for (let second = 0; second < length; second++) await clock.advance(seconds(1));
  probes.stop();
  return heard;
}

test('without probes a container is started and ready at once', async () => {
  expect(await timeline({}, {}, 2)).toEqual(['0s started', '0s ready']);
});

test('the startup probe holds back the others, whose delays count from the start of the container', async () => {
  const container = {
    startupProbe: exec('up', { periodSeconds: 2, failureThreshold: 9 }),
    readinessProbe: exec('ready', { periodSeconds: 1, initialDelaySeconds: 5 }),
    livenessProbe: exec('live', { periodSeconds: 10 }),
  };
  expect(await timeline(container, { up: '--+', ready: '-+', live: '+' }, 8)).toEqual([
    '0s startup failed',
    '2s startup failed',
    '4s started',
    '5s readiness failed',
    '6s ready',
  ]);
});

test('a container that does not start in time is killed', async () => {
  const container = { startupProbe: exec('up', { periodSeconds: 1, failureThreshold: 2 }) };
  expect(await timeline(container, { up: '-' }, 5)).toEqual([
    '0s startup failed',
    '1s startup failed',
    '1s killed by startup',
  ]);
});

test('readiness comes and goes, liveness kills once', async () => {
  const container = {
    readinessProbe: exec('ready', { periodSeconds: 1, failureThreshold: 2 }),
    livenessProbe: exec('live', { periodSeconds: 2, failureThreshold: 2 }),
  };
  expect(await timeline(container, { ready: '+--+', live: '++-' }, 9)).toEqual([
    '0s started',
    '0s ready',
    '1s readiness failed',
    '2s readiness failed',
    '2s unready',
    '3s ready',
    '4s liveness failed',
    '6s liveness failed',
    '6s killed by liveness',
  ]);
});
