// The browser in which pages are looked at, where the machine has one.
import { existsSync } from 'node:fs';
import { test } from '@jest/globals';
import { type BrowserContext, chromium } from 'playwright-core';

const browserPath = '/usr/bin/chromium';

/** A test that needs the browser; skipped without it. */
export const withBrowser = existsSync(browserPath) ? test : test.skip;

/** Opens it with its profile in this directory; it asks nobody for anything by itself. */
export const openBrowser = (profile: string): Promise<BrowserContext> =>
  chromium.launchPersistentContext(profile, {
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
