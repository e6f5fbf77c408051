// When a target is looked at. Looks follow the reports: the next is due when a tick has nearly passed and something new was
// told, right then, and sooner after a step. Looking just after a report and a whole tick after the last look lets a step
// show in full, at once.
import { type Milliseconds, milliseconds } from '@kubeai/units';
import { limits } from './limits.ts';

/**
 * What a report that has just come means for the next look: nought for "now", or after so long; undefined when it changes nothing.
 * @param sinceLook what has passed since the last one
 * @param step      what LoadStep says of the report
 */
export function lookIn(sinceLook: Milliseconds, tick: Milliseconds, step: boolean): Milliseconds | undefined {
  const left = (step ? limits.betweenLooks : tick * limits.nearlyTick) - sinceLook;
  if (left <= 0) return milliseconds(0);
  // A step that many pods tell of at once is looked at again when all of them have.
  return step ? milliseconds(left) : undefined;
}

/** After a look: when the next one comes though no report does. */
export const lookWithoutReport = (tick: Milliseconds): Milliseconds => milliseconds(tick * limits.overTick);
