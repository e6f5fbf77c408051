// One look at one policy, in three beats: read the world, decide, change the world. Events and timers only say which
// policy to look at; what is true is read here, so a missed, doubled or reordered event cannot matter.
import { decide } from '@kubeai/decision';
import { problemText } from './conditions.ts';
import type { World } from './world.ts';

/** Throws when the API server cannot be asked or refuses; the caller tries again later. */
export async function reconcile(key: string, world: World): Promise<void> {
  const subject = world.readPolicy(key);
  if (subject === 'deleted') return world.forget(key);
  if ('invalid' in subject) {
    const { invalid } = subject;
    return await world.block(invalid, { obstacle: 'InvalidPolicy', message: problemText(invalid.problems) });
  }
  const observed = await world.observe(subject);
  if ('obstacle' in observed) return await world.block(subject.entry, observed);
  const now = world.now();
  const decided = decide(subject.policy, observed.snapshot, observed.history, now);
  await world.apply(subject, observed, { ...decided, now });
}
