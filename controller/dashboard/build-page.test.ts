import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { generatedFile, generatedPage } from './build-page.ts';

test('the generated page is that of the present sources', async () => {
  expect(readFileSync(generatedFile, 'utf8') === (await generatedPage())).toBe(true);
});
