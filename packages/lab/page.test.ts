// The page in a browser: it draws, says why there were so many at each moment, and asks nobody for anything.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect } from '@jest/globals';
import { openBrowser, withBrowser } from '../../test/browser.ts';
import { setting } from './bench/setting.ts';
import { defaultPolicy } from './ours.ts';
import { pageOf } from './page.ts';
import { reportOf, textOf } from './report.ts';
import { shapeNames, shapeOf } from './shapes.ts';
import { study } from './study.ts';
import { limited } from './workload.ts';

const folder = mkdtempSync(join(tmpdir(), 'lab-page-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The page of the first minutes of a shape. */
function pageFile(name: (typeof shapeNames)[number], minutes: number): string {
  const { workload, incidents } = shapeOf(name, 1);
  const result = study({
    ...setting,
    workload: limited(workload, { duration: minutes * 60_000 }),
    incidents,
    startUpMs: 60_000,
    maxReplicas: 20,
    nodes: { standing: 20, arrivalMs: 0 },
    warmUpMs: 0,
    seed: 1,
    policies: [{ name: 'interactive', policy: defaultPolicy() }],
    rivals: name === 'bursty' ? ['kpa', 'clairvoyant'] : ['clairvoyant'],
    isSearching: true,
  });
  const report = reportOf(result, 1);
  const path = join(folder, `${name}.html`);
  writeFileSync(path, pageOf(report, textOf(report, report.contenders)));
  return path;
}

withBrowser('every shape is drawn, with the reason for each moment and each change', async () => {
  const browser = await openBrowser(join(folder, 'browser'));
  try {
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
    page.on('request', (asked) => /^(file|data):/.test(asked.url()) || wrong.push(asked.url()));
    for (const name of shapeNames) {
      await page.goto(pathToFileURL(pageFile(name, name === 'bursty' ? 9 : 2)).href);
      await page.waitForSelector('#pareto canvas');
      expect(await page.locator('.u-wrap canvas').count()).toBe(3);
      expect(await page.innerText('h1')).toBe(name);
      expect(await page.innerText('#why')).toMatch(
        /^interactive at 0:01, \d+ asked for, \d+ serving; [A-Z]\w+.*: [a-z]/,
      );
      if (name !== 'bursty') continue;
      expect(await page.innerText('#moments')).toMatch(/\d → \d\s+MetricAboveTarget \(\w+\): \w+/);
      await page.selectOption('#who', 'kpa');
      expect(await page.innerText('#why')).toMatch(/^kpa at 0:01, .*; (stable|panic) window$/);
      const chart = (await page.locator('#ready .u-over').boundingBox())!;
      await page.mouse.move(chart.x + chart.width - 5, chart.y + 20);
      await page.waitForFunction("!document.getElementById('why').textContent.includes('0:01')");
    }
    expect(wrong).toEqual([]);
  } finally {
    await browser.close();
  }
});

withBrowser(
  'a narrow window by night scrolls within its table, is dark, and says whose changes are listed',
  async () => {
    const browser = await openBrowser(join(folder, 'narrow'));
    try {
      const page = await browser.newPage();
      await page.setViewportSize({ width: 400, height: 800 });
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.goto(pathToFileURL(pageFile('step', 6)).href);
      await page.waitForSelector('#pareto canvas');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
      expect(await page.evaluate('getComputedStyle(document.documentElement).backgroundColor')).toBe('rgb(16, 20, 28)');
      expect(await page.innerText('#whose')).toMatch(/^interactive, \d+$/);
    } finally {
      await browser.close();
    }
  },
);
