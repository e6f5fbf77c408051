// `--query-gpu=… --format=csv` and `--query-compute-apps=…`, with and without header and units. Columns are found by
// name: every driver has others, and a query may ask for any of them in any order.

import { type Header, headerAgain, headerOf, headerOfFields, isOfProcesses } from './csv-header.ts';
import { failureIn, noteFailures } from './failures.ts';
import { gpuOf, type Place, processOf } from './gpu-fields.ts';
import { limits } from './limits.ts';
import { noteOtherOutput, noteStray } from './other-output.ts';
import { cellOf, dateLine, versionIn } from './printed-value.ts';
import { complain, complainOfMore, type Draft, draftOf } from './reading.ts';

/**
 * Columns of rows without header: those whose cells show by their shape what they are have their name, the others are
 * `column1`, `column2`, … Undefined when the lines are no table of at least one such column.
 */
function guessedHeader(lines: readonly string[]): Header | undefined {
  const rows = lines.map((line) => line.split(', ', limits.entries).map((cell) => cell.trim()));
  const found = (rows[0] ?? []).map((cell) => shapes.find(([form]) => form.test(cell)));
  if (found.every((shape) => shape === undefined)) return undefined;
  // Prose may begin like the name of a card, but does not go on as its column does.
  const fits = (cell: string, index: number) =>
    found[index] === undefined || found[index][0].test(cell) || cellOf(cell).is !== 'value';
  if (!rows.every((cells) => cells.length === found.length && cells.every(fits))) return undefined;
  const columns = found.map((shape, index) =>
    shape === undefined || found.indexOf(shape) !== index ? `column${index + 1}` : shape[1],
  );
  return headerOfFields(columns);
}
const shapes: readonly (readonly [RegExp, string])[] = [
  [/^GPU-[0-9a-f]{8}-[0-9a-f-]{4,30}$/i, 'uuid'],
  [/^[0-9a-f]{8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]$/i, 'pci.bus_id'],
  [/^(?:NVIDIA(?! System Management)|Tesla|GeForce|Quadro|GRID|TITAN)\b[\w .()/+-]{0,60}$/, 'name'],
  [/^P\d{1,2}$/, 'pstate'],
];

/** A row's cells. A process name may hold commas itself: then it takes what is too much. */
export function cellsOf(line: string, { columns, separator }: Header): string[] {
  // Editors cut the blank behind which a last, empty cell stands.
  const row = separator === '","' ? line.trim().replace(/^"|"$/g, '') : line.replace(/, {0,8}$/, ', ');
  const cells = row.split(separator).map((cell) => cell.trim());
  const surplus = cells.length - columns.length;
  const wide = columns.findIndex((column) => column === 'process_name' || column === 'name');
  if (surplus > 0 && wide !== -1)
    cells.splice(wide, surplus + 1, cells.slice(wide, wide + surplus + 1).join(separator));
  return cells;
}

/** The fields that a command line asks for. */
const queriedFields = (line: string): string[] | undefined =>
  /--query-[a-z-]{1,30}[= ]"?([a-z][\w.,]{0,8000})/.exec(line.slice(0, limits.command))?.[1]?.split(',');

/** The lines that hold something; a command that goes on in the next one is one line. */
function linesOf(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    const last = lines.at(-1)?.trimEnd() ?? '';
    if (last.endsWith('\\') && last.length < limits.command && last.includes('--query-'))
      lines[lines.length - 1] = last.slice(0, -1) + line.trim();
    else if (line.trim() !== '') lines.push(line);
  }
  return lines;
}

/** Adds what a row says to the draft. `runs` tells which run of nvidia-smi printed it; without it, the first. */
export function addRow(
  draft: Draft,
  header: Header,
  cells: readonly string[],
  rowNumber: number,
  runs?: RunCounter,
): void {
  const printed: Record<string, string> = Object.create(null);
  for (const [index, column] of header.columns.entries())
    if (cells[index] !== undefined && !(column in printed)) printed[column] = cells[index];
  const ofProcesses = isOfProcesses(header);
  const run = (ofProcesses ? undefined : runs?.placeOf(printed)) ?? { document: draft.documents, position: 0 };
  const place: Place = { draft, document: run.document, what: `row ${rowNumber}`, units: header.units };
  draft.documents = run.document;
  if (ofProcesses) draft.processes.push(processOf(printed, undefined, place));
  else draft.gpus.push(gpuOf(printed, run.position, place));
  const driver = versionIn(printed['driver_version']) ?? versionIn(printed['kmd_version']);
  const timestamp = printed['timestamp'];
  if (driver !== undefined) draft.driverVersion ??= driver;
  if (timestamp !== undefined) draft.timestamp ??= timestamp;
}

export interface RunCounter {
  readonly placeOf: (printed: Readonly<Record<string, string>>) => { document: number; position: number };
  /** A header has come again: a run prints one. */
  readonly begin: () => void;
}

const identities = ['index', 'uuid', 'gpu_uuid', 'pci.bus_id', 'gpu_bus_id', 'serial', 'gpu_serial'];
/** GPUs of one run are asked within this of one another; loops wait longer. */
const gapMilliseconds = 50;

/** Tells the runs of `--loop` apart: by a GPU that is there already, else by a time that is no longer the same. */
export function createRunCounter(): RunCounter {
  let document = 1;
  let position = -1;
  let last = Number.NaN;
  const seen = new Set<string>();
  const begin = () => {
    if (position >= 0) document += 1;
    position = -1;
    seen.clear();
  };
  const placeOf: RunCounter['placeOf'] = (printed) => {
    const identity = identities.map((name) => printed[name]).find((value) => value !== undefined && value !== '[N/A]');
    const time = Date.parse(printed['timestamp']?.replaceAll('/', '-').replace(' ', 'T') ?? '');
    const isNext = identity === undefined ? Math.abs(time - last) > gapMilliseconds : seen.has(identity);
    if (isNext) begin();
    position += 1;
    last = time;
    if (identity !== undefined) seen.add(identity);
    return { document, position };
  };
  return { placeOf, begin };
}

/** Lines that divide a report, and those of a table below: none holds a cell. */
const isRuled = (line: string): boolean => /^\s{0,20}(?:[|+]|[^\p{L}\p{N}\s]{3})/u.test(line);

/** A message or a library's log line between the rows. An error that stands for a value is in brackets. */
export const isRemark = (line: string): boolean =>
  /^\s{0,20}\[[^\][]{1,200}\]: /.test(line) || (/^[^,[]*$/.test(line) && failureIn(line) !== undefined);

interface Table {
  readonly header: Header;
  /** Where its rows begin. */
  readonly from: number;
  /** A header stands above them, which may come again. */
  readonly isPrinted: boolean;
}

/** The first table of a text: below a header, below a command that names its columns, or as `fields` say. */
function firstTable(lines: readonly string[], fields: readonly string[] | undefined): Table | undefined {
  for (const [index, line] of lines.entries()) {
    const header = headerOf(line.trim());
    if (header !== undefined) return { header, from: index + 1, isPrinted: true };
  }
  const commandAt = lines.findIndex((line) => queriedFields(line) !== undefined);
  const asked = fields ?? (commandAt === -1 ? undefined : queriedFields(lines[commandAt]!));
  const header = asked === undefined ? guessedHeader(lines) : headerOfFields(asked);
  return header === undefined ? undefined : { header, from: commandAt + 1, isPrinted: false };
}

/** Never throws. `fields` are the query's, for an output without header. `rows` are those below the first header. */
export function readCsvOutput(text: string, fields?: readonly string[]): Draft {
  const printed = linesOf(text);
  const lines: string[] = [];
  const remarks: string[] = [];
  for (const line of printed) (isRemark(line) ? remarks : lines).push(line);
  const table = firstTable(lines, fields);
  if (table === undefined) {
    const draft = draftOf('unknown');
    noteFailures(draft, printed);
    complain(draft, 'UnknownOutput', printed[0] ?? '');
    complain(draft, 'NoHeader', 'neither a known output nor a CSV with header');
    return draft;
  }
  const draft = draftOf(isOfProcesses(table.header) ? 'query-compute-apps' : 'query-gpu');
  const above = lines.slice(0, table.isPrinted ? table.from - 1 : table.from);
  noteStray(draft, above);
  noteFailures(draft, remarks);
  const { columns } = table.header;
  const unnamed = columns.filter((column) => /^column\d+$/.test(column));
  if (!table.isPrinted && unnamed.length > 0)
    complain(draft, 'NoHeader', `${unnamed.length} of ${columns.length} columns have no name`);
  readRows(draft, table, lines.slice(table.from));
  return draft;
}

function readRows(draft: Draft, { header: first, isPrinted }: Table, lines: readonly string[]): void {
  const cells: string[][] = [];
  const runs = createRunCounter();
  let headerLines = isPrinted ? 1 : 0;
  let header = first;
  let count = 0;
  for (const line of lines) {
    if (count >= limits.entries) {
      complainOfMore(draft, 'rows');
      break;
    }
    const next = isPrinted ? headerAgain(line, header) : undefined;
    const asked = isPrinted ? undefined : queriedFields(line);
    if (next !== undefined) {
      headerLines += 1;
      runs.begin();
    }
    if (next !== undefined || asked !== undefined) {
      header = next ?? headerOfFields(asked!);
      continue;
    }
    const row = cellsOf(line.trimStart(), header);
    if (row.length !== header.columns.length) {
      noteOddLine(draft, line, row.length, header, line === lines.at(-1));
      continue;
    }
    count += 1;
    if (header.columns.join() === first.columns.join()) cells.push(row);
    addRow(draft, header, row, count, runs);
  }
  draft.rows = { columns: first.columns, headerLines, cells };
}

/** A line with too few or too many cells: a message, a rule, somebody's remark, or a row that broke off. */
function noteOddLine(draft: Draft, line: string, cells: number, header: Header, isLast: boolean): void {
  if (noteOtherOutput(draft, line.trim()) || isRuled(line) || dateLine.test(line.trim())) return;
  const failure = failureIn(line);
  if (failure !== undefined) complain(draft, failure, line);
  // Only the last row can have broken off in its first cell; elsewhere a line of one cell is somebody's remark.
  else if (cells > 1 || isLast)
    complain(draft, 'UnreadableRow', `${cells} cells for ${header.columns.length} columns: ${line}`);
}
