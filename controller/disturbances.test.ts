// What the controller outlives: an API server that is away, a clock that jumps.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import type { Clock } from '@kubeai/daemon';
import { instant, milliseconds } from '@kubeai/units';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { clock, useScene } from './testing/scene.ts';

const scene = useScene();

/** A way to the API server that can be cut. */
async function createCable() {
  const sockets = new Set<Socket>();
  let cut = false;
  const { port } = new URL(scene.api().url);
  const cable = createServer((near) => {
    if (cut) return void near.destroy();
    const far = connect(Number(port), '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(cable, 'listening');
  return {
    url: `https://127.0.0.1:${(cable.address() as AddressInfo).port}`,
    cut() {
      cut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      cut = false;
    },
    close: () => cable.close(),
  };
}

test('while the API server is away nothing changes and nothing is lost; when it is back the load is answered', async () => {
  await scene.createDeployment(1);
  const pod = await scene.createPod('chat-a');
  await scene.applyPolicy('chat');
  const cable = await createCable();
  const controller = await scene.start(undefined, cable.url);
  let load = 1;
  await scene.startAgent(controller, pod, () => load);
  await scene.settled('chat', 'Ready', 'True');
  const failed = async () =>
    (await controller.metrics.registry.getSingleMetricAsString('controller_runtime_reconcile_total')).includes('error');

  cable.cut();
  load = 30;
  await eventually(failed);
  expect(await scene.replicas()).toBe(1);
  cable.mend();
  await eventually(async () => (await scene.replicas()) > 1);
  expect(controller.controller.ingest.connections()).toBe(1);
  cable.close();
});

test('a clock that is set an hour back and then two on costs no report and no decision', async () => {
  await scene.createDeployment(1);
  const pod = await scene.createPod('chat-a');
  await scene.applyPolicy('chat');
  let set = 0;
  const now = () => instant(clock.now() + set);
  // What is done every few seconds is done often, so that nobody has to wait for it.
  const every: Clock['every'] = (span, action) => clock.every(milliseconds(span / 50), action);
  const controller = await scene.start(undefined, undefined, { clock: { ...clock, now, every } });
  const { ingest } = controller.controller;
  const refusals = () => Object.values(ingest.counts.refused).reduce((sum, count) => sum + count, 0);
  let load = 1;
  const agent = await scene.startAgent(controller, pod, () => load);
  await scene.settled('chat', 'Ready', 'True');

  set = -3_600_000;
  load = 12;
  await eventually(async () => (await scene.replicas()) > 1);
  expect({ refusals: refusals(), ended: agent.answer.ended }).toEqual({ refusals: 0, ended: false });

  // By this clock every token has run out. Its agent comes again, and the API server, whose clock counts, knows it.
  set = 3_600_000;
  load = 30;
  await eventually(() => agent.answer.ended);
  const again = await scene.startAgent(controller, pod, () => load);
  await eventually(async () => (await scene.replicas()) > 6);
  const sent = again.sent();
  await eventually(() => again.sent() > sent + 5);
  expect(again.answer.ended).toBe(false);
});
