// Whether a line begins an output of another kind than the one it stands in: a report may hold several, of which one is read.
import { headerOf } from './csv-header.ts';
import { noteFailures } from './failures.ts';
import { monitorColumnsOf } from './monitor-output.ts';
import { listedGpu, tableTitle } from './printed-value.ts';
import { complain, type Draft } from './reading.ts';

/** Of `nvlink --status`, which begins like the list. */
const nvlinkLine = /^Link \d{1,2}: /;

function beginsOutput(line: string): boolean {
  if (line.startsWith('#')) return monitorColumnsOf(line) !== undefined;
  if (line.startsWith('|')) return line.search(tableTitle) === 0;
  if (line.startsWith('GPU ')) return listedGpu.test(line);
  if (line.startsWith('Link ')) return nvlinkLine.test(line);
  return line.includes(', ') && (headerOf(line)?.columns.length ?? 0) > 1;
}

/** Says once that the text holds another output, which is not read; true when the line begins one. */
export function noteOtherOutput(draft: Draft, line: string): boolean {
  if (!beginsOutput(line)) return false;
  if (!draft.problems.some(({ reason }) => reason === 'OtherOutput')) complain(draft, 'OtherOutput', line);
  return true;
}

/** What stands between or around an output: failures, and the beginnings of others. */
export function noteStray(draft: Draft, lines: readonly string[]): void {
  noteFailures(
    draft,
    lines.filter((line) => !noteOtherOutput(draft, line.trim())),
  );
}
