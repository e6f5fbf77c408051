import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog, createManualClock } from '@kubeai/daemon';
import { instant, minutes, seconds } from '@kubeai/units';
import { createEventRecorder, type EventRecorder } from './event-recorder.ts';
import { createKubeClient } from './kube-client.ts';
import { type ScriptedApi, scriptedApi } from './testing/scripted-api.ts';

const subject = { apiVersion: 'kubeai.io/v1alpha1', kind: 'Policy', namespace: 'a', name: 'chat', uid: 'u1' };
const clock = createManualClock(instant(Date.UTC(2026, 0, 1)));
let api: ScriptedApi;
let written: { method: string; path: string; body: Record<string, unknown> }[];
let refusing: number | undefined;
let events: EventRecorder;

beforeEach(async () => {
  written = [];
  refusing = undefined;
  api = await scriptedApi((call) => {
    if (refusing !== undefined) return call.refuse(refusing, 'Refused');
    written.push({ method: call.method, path: call.path, body: call.body as Record<string, unknown> });
    call.answer(200, call.body);
  });
  let made = 0;
  events = createEventRecorder({
    client: createKubeClient(api.config, { userAgent: 'test', clock }),
    clock,
    log: createLog({ level: 'silent', name: 'tested' }),
    component: 'kubeai-controller',
    nameSuffix: () => String(++made),
  });
});
afterEach(() => api.close());

test('an event says who, what and why, in the form that kubectl describe reads', async () => {
  events.record(subject, 'Normal', 'ScaledUp', '2 → 3: LatencyOverTarget');
  await events.flush();
  expect(written).toEqual([
    {
      method: 'POST',
      path: '/api/v1/namespaces/a/events',
      body: expect.objectContaining({
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { namespace: 'a', name: 'chat.1' },
        involvedObject: subject,
        type: 'Normal',
        reason: 'ScaledUp',
        message: '2 → 3: LatencyOverTarget',
        count: 1,
        firstTimestamp: '2026-01-01T00:00:00Z',
        source: { component: 'kubeai-controller' },
      }),
    },
  ]);
});

test('repeats count up the first event, at most every 30 s; after ten minutes a new one begins', async () => {
  for (let second = 0; second < 61; second++) {
    events.record(subject, 'Warning', 'FetchFailed', 'no answer');
    await events.flush();
    await clock.advance(seconds(1));
  }
  await events.flush();
  expect(written.map(({ method, body }) => [method, body['count']])).toEqual([
    ['POST', 1],
    ['PATCH', 31],
    ['PATCH', 61],
  ]);
  await clock.advance(minutes(10));
  events.record(subject, 'Warning', 'FetchFailed', 'no answer');
  await events.flush();
  expect(written.at(-1)).toMatchObject({ method: 'POST', body: { count: 1 } });
});

test('an object that never repeats itself is held to its allowance', async () => {
  for (let count = 0; count < 40; count++) events.record(subject, 'Normal', 'ScaledUp', `to ${count}`);
  events.record({ ...subject, name: 'other' }, 'Normal', 'ScaledUp', 'to 1');
  await events.flush();
  expect([written.length, events.dropped()]).toEqual([26, 15]);
  await clock.advance(seconds(20));
  events.record(subject, 'Normal', 'ScaledUp', 'later');
  await events.flush();
  expect(written).toHaveLength(27);
});

test('an event that cannot be written is dropped, counted and begun anew by its repeat', async () => {
  refusing = 503;
  events.record(subject, 'Normal', 'ScaledUp', 'to 3');
  await events.flush();
  expect(events.dropped()).toBe(1);
  refusing = undefined;
  events.record(subject, 'Normal', 'ScaledUp', 'to 3');
  await events.flush();
  expect(written.map(({ method }) => method)).toEqual(['POST']);
});
