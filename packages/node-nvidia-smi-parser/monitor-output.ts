// `nvidia-smi dmon` and `pmon`: a header of two lines that begin with `#`, repeated now and then, and a row a GPU or
// process a second. The columns depend on driver and options, so they are read from the first header line.
import { noteFailures } from './failures.ts';
import { gpuOf, type Place, processOf } from './gpu-fields.ts';
import { limits } from './limits.ts';
import { complain, complainOfMore, type Draft, draftOf, type Gpu, type GpuProcess } from './reading.ts';

/** Column names of a header line, or undefined when it is none (the second line names units). */
export function monitorColumnsOf(line: string): string[] | undefined {
  const content = line.trim();
  if (!content.startsWith('#')) return undefined;
  const words = wordsOf(content.slice(1));
  // Comments begin with the mark too, and may speak of a GPU.
  if (!words.includes('gpu') || !/^(?:gpu|date|time)$/i.test(words[0]!)) return undefined;
  return words.map((word) => word.toLowerCase());
}

/** A command may hold commas; those that divide cells stand behind the first. */
const wordsOf = (line: string): string[] => {
  const content = line.trim();
  return /^[^\s,]{1,40},/.test(content) ? content.split(',').map((word) => word.trim()) : content.split(/\s+/);
};

/** Rows begin with a GPU, a date or a time. Other lines are prompts, messages and the `^C` that ended it. */
export const beginsLikeRow = (line: string): boolean => /^\s{0,20}\d/.test(line);

/** A row's cells; a command may hold blanks and stands last. */
export function monitorCellsOf(line: string, columns: readonly string[]): string[] | undefined {
  const words = wordsOf(line);
  if (words.length < columns.length || !/^\d/.test(words[columns.indexOf('gpu')]!)) return undefined;
  if (words.length === columns.length) return words;
  if (columns.at(-1) !== 'command') return undefined;
  return [...words.slice(0, columns.length - 1), words.slice(columns.length - 1).join(' ')];
}

/** What one row says. */
export function monitorEntryOf(draft: Draft, columns: readonly string[], cells: readonly string[], row: number) {
  const printed: Record<string, string> = Object.create(null);
  for (const [index, column] of columns.entries()) printed[column] = cells[index]!;
  const place: Place = { draft, document: 1, what: `row ${row}` };
  const gpu = Number(printed['gpu']);
  const index = Number.isInteger(gpu) ? gpu : undefined;
  return draft.kind === 'pmon'
    ? { process: printed['pid'] === '-' ? undefined : processOf(printed, index, place) }
    : { gpu: gpuOf(printed, index ?? 0, place) };
}

export const monitorKindOf = (columns: readonly string[]): 'dmon' | 'pmon' =>
  columns.includes('pid') ? 'pmon' : 'dmon';

/** Never throws. Of each GPU or process the newest row becomes its entry; `rows` holds all of them. */
export function readMonitorOutput(text: string): Draft {
  const draft = draftOf('dmon');
  const gpus = new Map<string, Gpu>();
  const processes = new Map<string, GpuProcess>();
  const cells: string[][] = [];
  let columns: string[] = [];
  let headerLines = 0;
  let isBelowNames = false;
  for (const printed of text.split('\n')) {
    if (printed.trim() === '') continue;
    // Who comments an output out may comment its rows out as well.
    const line = printed.replace(/^\s{0,20}#(?=\s{1,20}\d)/, '');
    if (line.trimStart().startsWith('#')) {
      const found = monitorColumnsOf(line);
      if (found !== undefined || isBelowNames) headerLines += 1;
      isBelowNames = found !== undefined;
      if (found === undefined) continue;
      columns = found;
      draft.kind = monitorKindOf(columns);
      continue;
    }
    if (cells.length >= limits.entries) {
      complainOfMore(draft, 'rows');
      break;
    }
    const row = columns.length === 0 ? undefined : monitorCellsOf(line, columns);
    if (row === undefined) {
      noteFailures(draft, [line]);
      if (columns.length > 0 && beginsLikeRow(line)) complain(draft, 'UnreadableRow', line);
      continue;
    }
    cells.push(row);
    const { gpu, process } = monitorEntryOf(draft, columns, row, cells.length);
    if (gpu !== undefined) gpus.set(String(gpu.index), gpu);
    if (process !== undefined) processes.set(`${process.gpu} ${process.pid}`, process);
  }
  draft.gpus = [...gpus.values()];
  draft.processes = [...processes.values()];
  draft.rows = { columns, headerLines, cells };
  return draft;
}
