// What a request costs a replica. Engines batch, and they work in steps: a step writes a token of every answer in the
// batch and reads some prompt beside it, so it takes `fixed + perAnswer × answers + perPromptToken × prompt tokens`. All
// three are learned from quiet seconds, where tokens come a step apart. The places of a batch are seen when a replica is
// full; what a full one takes beyond the line (batches that are free until they are not, memory that runs short) as well.

import { limits } from './limits.ts';
import { significant } from './significant.ts';

/** Fading means and covariances of what a step had to do, and of how long it took. */
interface Steps {
  /** Looks so far, no more than are remembered. */
  readonly n: number;
  /** Answers of a replica at once, prompt tokens of a step, milliseconds of a step. */
  readonly answers: number;
  readonly prompts: number;
  readonly ms: number;
  readonly answersAnswers: number;
  readonly answersPrompts: number;
  readonly promptsPrompts: number;
  readonly answersMs: number;
  readonly promptsMs: number;
}

export interface WorkModel {
  readonly steps?: Steps;
  /** Answers that a replica writes at once when it is full. */
  readonly places?: number;
  /** The most that one was seen to write until a full one was seen. */
  readonly atOnce?: number;
  /** Milliseconds that a token took full replicas beyond what steps foretell; below zero it is noise. */
  readonly extraMs?: number;
}

/** Milliseconds of a full replica. */
export interface TokenCosts {
  readonly promptMs: number;
  readonly tokenMs: number;
}

const unseen: Steps = {
  n: 0,
  answers: 0,
  prompts: 0,
  ms: 0,
  answersAnswers: 0,
  answersPrompts: 0,
  promptsPrompts: 0,
  answersMs: 0,
  promptsMs: 0,
};

/** The model with one more quiet second of a replica: answers at once, prompt tokens a second, milliseconds between tokens. */
export function learnSteps(
  model: WorkModel = {},
  seen: { readonly answers: number; readonly promptsPerSecond: number; readonly ms: number },
): WorkModel {
  const { steps = unseen, extraMs, ...rest } = model;
  const n = Math.min(limits.stepLooks, steps.n + 1);
  const answers = seen.answers - steps.answers;
  const prompts = (seen.promptsPerSecond * seen.ms) / 1_000 - steps.prompts;
  const ms = seen.ms - steps.ms;
  const spread = (before: number, product: number) => significant((1 - 1 / n) * (before + product / n));
  const next: Steps = {
    n,
    answers: significant(steps.answers + answers / n),
    prompts: significant(steps.prompts + prompts / n),
    ms: significant(steps.ms + ms / n),
    answersAnswers: spread(steps.answersAnswers, answers * answers),
    answersPrompts: spread(steps.answersPrompts, answers * prompts),
    promptsPrompts: spread(steps.promptsPrompts, prompts * prompts),
    answersMs: spread(steps.answersMs, answers * ms),
    promptsMs: spread(steps.promptsMs, prompts * ms),
  };
  // What full replicas showed was true beside the answers of then: it gives way to what is seen since.
  const extra = extraMs === undefined ? {} : { extraMs: significant(extraMs * limits.extraFade) };
  return { ...rest, ...extra, steps: next };
}

/** The model after a look at replicas of which one serves so many at once: so many places it has at least. Requests also wait while a
 * replica reads long prompts, and a few answers beside them would be taken for all that it can write. */
export function learnAtOnce(model: WorkModel = {}, seen: number): WorkModel {
  if (seen <= (model.places ?? model.atOnce ?? 0)) return model;
  return model.places === undefined ? { ...model, atOnce: seen } : { ...model, places: seen };
}

/** The model after a look at full replicas: who serves more than ever has room for more, and is believed at once. */
export function learnPlaces(model: WorkModel = {}, seen: number): WorkModel {
  const { atOnce, ...rest } = model;
  const before = rest.places ?? atOnce;
  const places = before === undefined || seen > before ? seen : before + (seen - before) / limits.placesMean;
  return { ...rest, places: significant(places) };
}

/**
 * The model after a look at replicas that have been full for a while.
 * @param written tokens that one of them writes a second
 * @param read prompt tokens that it reads in it
 */
export function learnFull(model: WorkModel, written: number, read: number): WorkModel {
  const costs = stepCosts(model, model.places);
  if (costs === undefined) return model;
  // A second that went into reading tells little of what writing costs.
  const left = Math.max(0, 1 - (read * costs.promptMs) / 1_000);
  const extra = (1_000 * left) / written - costs.tokenMs;
  const before = model.extraMs ?? 0;
  return { ...model, extraMs: significant(before + (left ** 2 / limits.fullMean) * (extra - before)) };
}

/** Places of a replica; until a full one was seen, the most that one was seen to take. */
export const placesOf = (model: WorkModel | undefined): number | undefined => model?.places ?? model?.atOnce;

/** What tokens cost, were there so many places; undefined until steps were seen. */
export function tokenCosts(model: WorkModel | undefined, places = placesOf(model)): TokenCosts | undefined {
  const costs = model === undefined ? undefined : stepCosts(model, places);
  return costs === undefined ? undefined : { ...costs, tokenMs: costs.tokenMs + Math.max(0, model?.extraMs ?? 0) };
}

/** The costs by the line through the steps, read off where all places are taken. */
function stepCosts({ steps }: WorkModel, places: number | undefined): TokenCosts | undefined {
  if (steps === undefined || places === undefined) return undefined;
  const { n, answers, prompts, ms } = steps;
  // Until loads have differed: a quarter of a step grows with the answers in it, and a tenth with the prompts.
  const doubt = (mean: number) => (limits.curveSamples / n) * (0.1 * mean) ** 2 + Number.EPSILON;
  const perAnswer = answers > 0 ? ms / answers / 4 : 0;
  const perPrompt = prompts > 0 ? ms / prompts / 10 : 0;
  const a = steps.answersAnswers + doubt(answers);
  const b = steps.answersPrompts;
  const d = steps.promptsPrompts + doubt(prompts);
  const left = steps.answersMs + doubt(answers) * perAnswer;
  const right = steps.promptsMs + doubt(prompts) * perPrompt;
  const whole = a * d - b * b;
  let slope = (left * d - right * b) / whole;
  let promptMs = (right * a - left * b) / whole;
  // Nothing gets faster by having more to do; whichever says so is noise.
  if (!(promptMs >= 0)) [promptMs, slope] = [0, left / a];
  if (!(slope >= 0)) [slope, promptMs] = [0, Math.max(0, right / d)];
  promptMs = Math.min(promptMs, prompts > 0 ? (0.9 * ms) / prompts : 0);
  // Nor does a batch make it slower than in proportion.
  const alone = ms - promptMs * prompts;
  slope = Math.min(slope, alone / Math.max(1, answers));
  return { promptMs, tokenMs: Math.max(0, alone + slope * (places - answers)) / places };
}
