import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { reasonNames } from '@kubeai/decision';
import { fieldReference } from '@kubeai/policy';
import { pagePath, withReference } from '../../scripts/policy-reference.ts';

const page = readFileSync(pagePath, 'utf8');

test('docs/policy.md says what the schema and the reasons say: run `npm run policy-reference` after a change', () => {
  expect(page).toBe(withReference(page));
});

test('every field and every reason stands in docs/policy.md', () => {
  const missing = [...fieldReference().map(({ field }) => field), ...reasonNames].filter(
    (name) => !page.includes(`\`${name}\``),
  );
  expect(missing).toEqual([]);
});
