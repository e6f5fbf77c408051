// The journal of a live controller as a trace: every line is a decision with the traffic it was made from, written when
// something changed and at least each minute. The rate of a line holds until the next one of the same policy.
import { linesOf, longestTrace } from '@kubeai/load';
import type { FieldProblem, Result } from '@kubeai/units';
import { z } from 'zod';
import { type Interval, usualLengths } from './intervals.ts';

/** What the lab needs of a line; a decision holds much more. */
const lineSchema = z.object({
  key: z.string({ error: 'must be the name of a policy' }),
  now: z.number({ error: 'must be a time in milliseconds' }).nonnegative({ error: 'must be a time in milliseconds' }),
  snapshot: z.object(
    {
      traffic: z.object(
        {
          arrivalsPerSecond: atLeastNought(),
          promptTokensPerRequest: atLeastNought().optional(),
          generatedTokensPerRequest: atLeastNought().optional(),
        },
        { error: 'is missing' },
      ),
    },
    { error: 'is missing' },
  ),
});

function atLeastNought() {
  const error = 'must be a number of at least 0';
  return z.number({ error }).nonnegative({ error });
}

/** A controller writes at least each minute: of a longer silence nothing is known, and nothing comes in it. */
const longestSilenceSeconds = 120;

/** Told by its first line. */
export const isJournal = (text: string): boolean => /^\uFEFF?\s*\{[^\n]*"snapshot"\s*:/.test(text);

/** Reads a journal's lines of one policy, NAMESPACE/NAME; it may be left out where there is only one. Stops at the first problem. */
export function parseJournal(text: string, policy: string | undefined): Result<Interval[], FieldProblem> {
  const wrong = (field: string, message: string) => ({ ok: false, problems: [{ field, message }] }) as const;
  const last = new Map<string, number>();
  const rows: { key: string; at: number; rate: number; prompt: number | undefined; output: number | undefined }[] = [];
  for (const [index, line] of linesOf(text).entries()) {
    if (line.trim() === '') continue;
    const where = `line ${index + 1}: `;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      return wrong(`${where}the line`, 'is no JSON: cut off, or no journal');
    }
    const parsed = lineSchema.safeParse(json);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      return wrong(`${where}${issue.path.join('.') || 'the line'}`, issue.message);
    }
    const { key, now, snapshot } = parsed.data;
    if (now < (last.get(key) ?? 0)) {
      return wrong(`${where}now`, 'is before the last line of this policy: a journal is sorted by time');
    }
    last.set(key, now);
    if (now - (rows[0]?.at ?? now / 1_000) * 1_000 > longestTrace) {
      return wrong(`${where}now`, `is more than ${longestTrace / 86_400_000} days after the first line`);
    }
    const { arrivalsPerSecond, promptTokensPerRequest, generatedTokensPerRequest } = snapshot.traffic;
    rows.push({
      key,
      at: now / 1_000,
      rate: arrivalsPerSecond,
      prompt: promptTokensPerRequest,
      output: generatedTokensPerRequest,
    });
  }
  const names = [...last.keys()];
  if (policy === undefined && names.length > 1) {
    return wrong('the journal', `tells of ${names.length} policies: name one with --of, such as ${names[0]}`);
  }
  const own = rows.filter(({ key }) => key === (policy ?? names[0]));
  if (own.length === 0) return wrong('the journal', `tells nothing of ${policy}; it knows ${names.join(', ')}`);
  return { ok: true, value: intervalsOf(own) };
}

function intervalsOf(
  rows: readonly { at: number; rate: number; prompt: number | undefined; output: number | undefined }[],
): Interval[] {
  const first = rows[0]!.at;
  // Lengths are known once requests have finished: those before were like the first that are known.
  let prompt = rows.find((row) => row.prompt !== undefined)?.prompt ?? usualLengths.prompt;
  let output = rows.find((row) => row.output !== undefined)?.output ?? usualLengths.output;
  return rows.map((row, index) => {
    const seconds = Math.min(longestSilenceSeconds, (rows[index + 1]?.at ?? row.at + 1) - row.at);
    prompt = row.prompt ?? prompt;
    output = row.output ?? output;
    return { second: row.at - first, seconds, requests: row.rate * seconds, prompt, output };
  });
}
