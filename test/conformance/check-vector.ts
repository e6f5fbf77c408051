// One case of the decision vectors: what the rule gives, held against what is expected.

import { difference, type VectorCase } from './vector-file.ts';
import { adapters } from './vector-kinds.ts';

export type Verdict =
  | { readonly passed: true }
  | { readonly passed: false; readonly why: string; readonly expected: string; readonly got: string };

/** Slots of an event log may be used in any way; what counts is which events still do. */
const live = (events: unknown): unknown =>
  Array.isArray(events) ? events.filter((event) => event?.outdated === false) : events;

export function checkVector({ kind, input, expected }: VectorCase): Verdict {
  const adapter = adapters.get(kind);
  if (adapter === undefined) {
    return { passed: false, why: `the kind ${kind} is not known`, expected: text(expected), got: 'nothing' };
  }
  try {
    const got = adapter(input);
    const isLog = 'eventsAfter' in expected;
    const [wanted, found] = isLog
      ? [
          { ...expected, eventsAfter: live(expected['eventsAfter']) },
          { ...got, eventsAfter: live(got['eventsAfter']) },
        ]
      : [expected, got];
    const at = difference(wanted, found);
    return at === undefined
      ? { passed: true }
      : { passed: false, why: `${at} differs`, expected: text(expected), got: text(got) };
  } catch (cause) {
    return {
      passed: false,
      why: cause instanceof Error ? cause.message : String(cause),
      expected: text(expected),
      got: 'an exception',
    };
  }
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_key, each) => (typeof each === 'bigint' ? String(each) : each)) ?? 'nothing';
