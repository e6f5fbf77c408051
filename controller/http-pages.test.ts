// The controller's pages: its API, its metrics and the dashboard in a browser.
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { serveHttp } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import { openBrowser, withBrowser } from '../test/browser.ts';
import type { Controller } from './controller.ts';
import { createPages } from './http-pages.ts';
import type { Metrics } from './metrics.ts';
import { clock, useScene } from './testing/scene.ts';

const scene = useScene();

async function servePages({ controller, metrics }: { controller: Controller; metrics: Metrics }) {
  const { policies, memories } = controller;
  const pages = createPages({ policies, memories, metrics, clock, isLeader: () => true });
  const listener = await serveHttp(pages.app, { host: '127.0.0.1', port: 0 });
  return {
    url: listener.url,
    async stop() {
      pages.stop();
      await listener.drain(seconds(0));
    },
  };
}

test('the API tells the present of each policy in numbers and words, once and each second', async () => {
  const controller = await scene.startUnderLoad();
  const pages = await servePages(controller);
  try {
    const { policies } = (await (await fetch(`${pages.url}/api/policies`)).json()) as { policies: object[] };
    expect(policies).toEqual([
      expect.objectContaining({
        namespace: scene.namespace(),
        name: 'chat',
        target: 'Deployment/chat',
        ready: expect.objectContaining({ status: 'True' }),
        replicas: expect.objectContaining({ min: 1, max: 8, ledger: expect.objectContaining({ serving: 1 }) }),
        signals: [
          expect.objectContaining({
            name: 'concurrency',
            state: 'value',
            target: 4,
            text: expect.stringContaining('target 4 a replica'),
          }),
        ],
        decision: expect.objectContaining({ reason: expect.any(String), steps: expect.any(Array) }),
      }),
    ]);
    const one = await fetch(`${pages.url}/api/policies/${scene.namespace()}/chat`);
    expect(await one.json()).toMatchObject({
      events: [{ from: 1, reason: 'MetricAboveTarget' }],
      trail: { points: expect.any(Array) },
    });
    expect((await fetch(`${pages.url}/api/policies/${scene.namespace()}/other`)).status).toBe(404);

    const stream = (await fetch(`${pages.url}/api/events`)).body!;
    let text = '';
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.split('event: present').length > 2) break;
    }
    expect(text.startsWith('event: trails\ndata: {"states":["requested"')).toBe(true);
    const metrics = await (await fetch(`${pages.url}/metrics`)).text();
    expect(metrics).toContain('rest_client_requests_total{');
    expect((await fetch(`${pages.url}/elsewhere`)).status).toBe(404);
  } finally {
    await pages.stop();
  }
});

withBrowser('the dashboard draws a policy in a browser, without an error and without asking anybody else', async () => {
  const controller = await scene.startUnderLoad();
  const pages = await servePages(controller);
  const profile = join(scene.folder, 'browser');
  const browser = await openBrowser(profile);
  try {
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
    page.on(
      'request',
      (asked) => asked.url().startsWith(pages.url) || asked.url().startsWith('data:') || wrong.push(asked.url()),
    );
    await page.goto(pages.url);
    await page.waitForSelector('.u-wrap canvas');
    const text = await page.innerText('main');
    expect(text).toContain(scene.key('chat'));
    expect(text).toContain('scales Deployment/chat');
    expect(text).toMatch(/1 → \d/);
    expect(text).toContain('MetricAboveTarget');
    expect(wrong).toEqual([]);
  } finally {
    await browser.close();
    await pages.stop();
  }
});
