import { expect, test } from '@jest/globals';
import { freshProbe, type Outcome, observe, type ProbeKind } from './probe-state.ts';

const outcomes: Record<string, Outcome> = { '+': 'success', '-': 'failure' };
const letters = { success: 'S', failure: 'F', unknown: '?' };

// Outcomes in a row, and the result after each of them.
test.each<[ProbeKind, number, number, string, string]>([
  ['readiness', 1, 3, '+--+---+', 'SSSSSSFS'],
  ['readiness', 2, 1, '+++-++', 'FSSFFS'],
  ['liveness', 1, 3, '--+--', 'SSSSS'],
  ['liveness', 1, 2, '+--', 'SSF'],
  ['startup', 1, 3, '--+', '??S'],
  ['startup', 1, 2, '--', '?F'],
])('%s with success %d and failure %d: %s gives %s', (kind, successThreshold, failureThreshold, row, expected) => {
  let state = freshProbe(kind);
  const results = [...row].map((letter) => {
    state = observe(state, { successThreshold, failureThreshold }, outcomes[letter]!);
    return letters[state.result];
  });
  expect(results.join('')).toBe(expected);
});
