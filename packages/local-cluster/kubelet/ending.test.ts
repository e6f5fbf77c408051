import { expect, test } from '@jest/globals';
import { createManualClock, type ManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import type { Ended } from './child.ts';
import { endProcess } from './ending.ts';

interface Case {
  readonly grace: number;
  /** How long preStop takes; left out: there is none. */
  readonly hook?: number;
  /** When the others have ended. */
  readonly turn?: number;
  /** How long the program takes after SIGTERM; left out: for ever. */
  readonly obeys?: number;
  /** At which second the grace is shortened to how many. */
  readonly shorten?: readonly [at: number, to: number];
  readonly expected: string[];
}

async function timeline({ grace, hook, turn, obeys, shorten }: Case): Promise<string[]> {
  const clock: ManualClock = createManualClock();
  const heard: string[] = [];
  const say = (text: string) => heard.push(`${clock.now() / 1000}s ${text}`);
  let end: (how: Ended) => void = () => undefined;
  const ended = new Promise<Ended>((resolve) => {
    end = resolve;
  });
  const child = {
    ended,
    signal(name: 'SIGTERM' | 'SIGKILL') {
      say(name);
      if (name === 'SIGKILL') end({ exitCode: 137, signal: 9 });
      else if (obeys !== undefined) clock.after(seconds(obeys), () => end({ exitCode: 0, signal: undefined }));
    },
  };
  const preStop = async () => {
    await clock.sleep(seconds(hook ?? 0));
    return { ok: true, message: '' };
  };
  const ending = endProcess(
    child,
    {
      grace: seconds(grace),
      preStop: hook === undefined ? undefined : preStop,
      turn: turn === undefined ? undefined : clock.sleep(seconds(turn)),
      onHookFailed: (message) => say(`hook: ${message}`),
    },
    clock,
  );
  ending.done.then(
    () => say('dead'),
    () => say('failed'),
  );
  if (shorten) clock.after(seconds(shorten[0]), () => ending.shorten(seconds(shorten[1])));
  for (let half = 0; half < 80; half++) await clock.advance(milliseconds(500));
  return heard;
}

test.each<[string, Case]>([
  ['SIGTERM is enough', { grace: 30, obeys: 1, expected: ['0s SIGTERM', '1s SIGKILL', '1s dead'] }],
  ['one that does not obey', { grace: 5, expected: ['0s SIGTERM', '5s SIGKILL', '5s dead'] }],
  ['a hook counts', { grace: 5, hook: 2, expected: ['2s SIGTERM', '5s SIGKILL', '5s dead'] }],
  [
    'a hook that is too long leaves two seconds',
    { grace: 5, hook: 99, expected: ['5s hook: grace period exceeded', '5s SIGTERM', '7s SIGKILL', '7s dead'] },
  ],
  ['the turn comes after the hook', { grace: 9, hook: 1, turn: 4, expected: ['4s SIGTERM', '9s SIGKILL', '9s dead'] }],
  ['a turn that does not come', { grace: 3, turn: 99, expected: ['3s SIGTERM', '5s SIGKILL', '5s dead'] }],
  ['no grace', { grace: 0, hook: 1, turn: 1, obeys: 1, expected: ['0s SIGKILL', '0s dead'] }],
  ['shortened while it waits', { grace: 30, shorten: [2, 1], expected: ['0s SIGTERM', '3s SIGKILL', '3s dead'] }],
  [
    'forced during the hook',
    { grace: 30, hook: 20, shorten: [2, 0], expected: ['2s hook: grace period exceeded', '2s SIGKILL', '2s dead'] },
  ],
  ['never lengthened', { grace: 3, shorten: [1, 20], expected: ['0s SIGTERM', '3s SIGKILL', '3s dead'] }],
])('%s', async (_case, ending) => {
  expect(await timeline(ending)).toEqual(ending.expected);
});
