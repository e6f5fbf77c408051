import { expect, test } from '@jest/globals';
import { createNodes } from './nodes.ts';

test('a node comes for each replica that waits, and goes when it was empty for ten minutes', () => {
  const nodes = createNodes({ standing: 2, arrivalMs: 60_000 }, 6, 1, (mean) => mean);
  // At: seconds; replicas that wait and that have GPUs; then the room there is, and nodes without a replica.
  const told: readonly (readonly [second: number, waiting: number, placed: number, room: number, empty: number])[] = [
    [0, 1, 1, 2, 0],
    [1, 2, 2, 2, 0],
    [2, 2, 2, 2, 0],
    [30, 3, 2, 2, 0],
    [61, 3, 2, 4, 0],
    [62, 1, 4, 4, 0],
    [90, 1, 4, 5, 0],
    // Of ten that are wanted, there are GPUs for six.
    [91, 5, 5, 5, 0],
    [151, 5, 5, 6, 0],
    [152, 0, 2, 6, 4],
    [500, 0, 4, 6, 2],
    [751, 0, 4, 6, 2],
    [752, 0, 4, 4, 0],
    [2_000, 0, 0, 4, 2],
    [2_600, 0, 0, 2, 0],
  ];
  for (const [second, waiting, placed, room, empty] of told) {
    nodes.follow(waiting, placed, 1_000 * second);
    expect({ second, room: nodes.room(), empty: nodes.empty() }).toEqual({ second, room, empty });
  }
});

test('what runs from the start has its nodes', () => {
  expect(createNodes({ standing: 2, arrivalMs: 1 }, 6, 5, (mean) => mean).room()).toBe(5);
  expect(createNodes({ standing: 9, arrivalMs: 1 }, 6, 0, (mean) => mean).room()).toBe(6);
});
