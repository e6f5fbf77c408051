import { expect, test } from '@jest/globals';
import type { ContainerState, ContainerStatus, Pod } from '../workloads/objects.ts';
import { podStatus } from './pod-status.ts';

const pod = (policy: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: {
    restartPolicy: policy,
    initContainers: [{ name: 'setup' }, { name: 'side', restartPolicy: 'Always' }],
    containers: [{ name: 'main' }],
  },
});

const states: Record<string, ContainerState> = {
  waiting: { waiting: { reason: 'PodInitializing' } },
  running: { running: {} },
  ready: { running: {} },
  done: { terminated: { exitCode: 0 } },
  failed: { terminated: { exitCode: 1 } },
  crashing: { waiting: { reason: 'CrashLoopBackOff' } },
};

const status = (name: string, word: string): ContainerStatus => ({
  name,
  image: '',
  imageID: '',
  ready: word === 'ready' || (name === 'setup' && word === 'done'),
  started: word === 'ready' || word === 'running',
  restartCount: 0,
  state: states[word]!,
  ...(word === 'crashing' ? { lastState: { terminated: { exitCode: 1 } } } : {}),
});

// restartPolicy, setup, side, main, is the pod over → phase, Initialized, Ready and the reason why not
test.each([
  ['Always', 'waiting', 'waiting', 'waiting', false, 'Pending', 'False', 'ContainersNotReady'],
  ['Always', 'done', 'waiting', 'waiting', false, 'Pending', 'False', 'ContainersNotReady'],
  ['Always', 'done', 'ready', 'waiting', false, 'Pending', 'True', 'ContainersNotReady'],
  ['Always', 'done', 'ready', 'running', false, 'Running', 'True', 'ContainersNotReady'],
  ['Always', 'done', 'ready', 'ready', false, 'Running', 'True', undefined],
  ['Always', 'done', 'crashing', 'ready', false, 'Running', 'False', 'ContainersNotReady'],
  ['Always', 'done', 'ready', 'crashing', false, 'Running', 'True', 'ContainersNotReady'],
  ['Always', 'done', 'ready', 'done', false, 'Running', 'True', 'ContainersNotReady'],
  ['OnFailure', 'done', 'ready', 'failed', false, 'Running', 'True', 'ContainersNotReady'],
  ['Never', 'done', 'ready', 'done', false, 'Running', 'True', 'ContainersNotReady'],
  ['Never', 'done', 'ready', 'failed', false, 'Running', 'True', 'ContainersNotReady'],
  ['Never', 'done', 'done', 'failed', false, 'Failed', 'False', 'PodFailed'],
  ['Never', 'done', 'done', 'done', false, 'Succeeded', 'True', 'PodCompleted'],
  ['Never', 'failed', 'waiting', 'waiting', false, 'Failed', 'False', 'PodFailed'],
  ['Always', 'done', 'failed', 'done', true, 'Succeeded', 'True', 'PodCompleted'],
  ['Always', 'done', 'done', 'failed', true, 'Failed', 'False', 'PodFailed'],
])('%s with setup %s, side %s, main %s, over %s: %s', (policy, setup, side, main, isOver, phase, initialized, why) => {
  const seen = {
    startTime: 0,
    podIP: '127.64.0.1',
    hostIP: '127.0.0.1',
    isSetUp: true,
    init: [status('setup', setup), status('side', side)],
    main: [status('main', main)],
    isOver,
  };
  const result = podStatus(pod(policy), seen, 0);
  const condition = (type: string) => result.conditions?.find((one) => one.type === type);
  expect([result.phase, condition('Initialized')?.status, condition('Ready')?.reason]).toEqual([
    phase,
    initialized,
    why,
  ]);
});

test('a readiness gate holds back Ready, and conditions of others stay', () => {
  const gated = pod('Always');
  gated.spec.readinessGates = [{ conditionType: 'example.com/gate' }];
  const seen = {
    startTime: 0,
    podIP: '127.64.0.1',
    hostIP: '127.0.0.1',
    isSetUp: true,
    init: [status('setup', 'done'), status('side', 'ready')],
    main: [status('main', 'ready')],
    isOver: false,
  };
  const ready = (of: Pod) => podStatus(of, seen, 0).conditions?.find(({ type }) => type === 'Ready');
  expect(ready(gated)?.reason).toBe('ReadinessGatesNotReady');
  const open = { ...gated, status: { conditions: [{ type: 'example.com/gate', status: 'True' }] } };
  expect(ready(open)?.status).toBe('True');
  expect(podStatus(open, seen, 0).conditions).toContainEqual({ type: 'example.com/gate', status: 'True' });
});
