// Cases that were played, as people read them: a section each, and all of them with what is asked as one page of Markdown.
import { frontsText, type Played, type Ranked, textOf } from '../report.ts';
import type { BenchCase } from './cases.ts';
import { publishedRows } from './published.ts';
import type { Verdict } from './verdict.ts';

export interface PlayedCase {
  readonly bench: BenchCase;
  readonly what: Played;
  /** Ours first. */
  readonly contenders: readonly Ranked[];
  readonly verdicts: readonly Verdict[];
}

export function sectionOf({ bench, what, contenders, verdicts }: PlayedCase): string {
  const rows = verdicts.map((verdict) => `| ${cellsOf(verdict)} |`);
  const table =
    rows.length === 0
      ? []
      : ['', '| asked | got | must | excellent | bound | |', '|---|---:|---:|---:|---:|---|', ...rows];
  return [
    `### ${bench.name} (${bench.kind}, ${bench.split})`,
    '',
    '```',
    textOf(what, contenders),
    '',
    frontsText(contenders),
    '```',
    ...table,
    '',
  ].join('\n');
}

/**
 * @param forecast  the section on the forecast
 * @param written  day and commit
 */
export function markdown(played: readonly PlayedCase[], forecast: string, written: string): string {
  const all = played.flatMap(({ bench, verdicts }) => verdicts.map((verdict) => ({ bench, verdict })));
  const summary = all.map(({ bench, verdict }) => `| ${bench.name} | ${bench.split} | ${cellsOf(verdict)} |`);
  return `# Results of the lab: tables

Written on ${written} by \`npm run bench:lab -- --traces DIRECTORY --results docs/results-tables.md\`;
[results.md](results.md) says what they mean. Under each table stands every contender's Pareto curve over its knob.

## What is asked

The bound is what the clairvoyant, who knows the trace and every start, takes for as few misses: nobody comes below it.

| traffic | split | asked | got | must | excellent | bound | |
|---|---|---|---:|---:|---:|---:|---|
${summary.join('\n')}

${forecast}
## Beside an earlier simulation

Share within the promise (GPU-hours of the whole span). In the middle, what the lab's curve of that contender gives for the published
GPU-hours.

| traffic | contender | published | lab, same GPU-hours | lab, as tuned |
|---|---|---:|---:|---:|
${played.flatMap(({ bench, what, contenders }) => publishedRows(bench.name, contenders, 1 - bench.warmUpSeconds / (3_600 * what.hours))).join('\n')}

## Every case

${played.map(sectionOf).join('\n')}`;
}

function cellsOf({ what, value, bound, must, excellent, word }: Verdict): string {
  return [what, value.toFixed(2), must, excellent, bound?.toFixed(2) ?? '', word].join(' | ');
}
