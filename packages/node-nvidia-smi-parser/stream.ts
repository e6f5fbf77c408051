// Reads the endless output of `nvidia-smi --loop`, dmon and pmon: chunks in, cut anywhere, a reading out for every
// document (XML, text, table) or row (CSV, dmon, pmon). Memory is bounded; a document that never ends is dropped.
import { type Header, headerAgain, headerOf, headerOfFields } from './csv-header.ts';
import { addRow, cellsOf, createRunCounter, isRemark } from './csv-output.ts';
import { failureIn } from './failures.ts';
import { limits } from './limits.ts';
import { beginsLikeRow, monitorCellsOf, monitorColumnsOf, monitorEntryOf, monitorKindOf } from './monitor-output.ts';
import { type ParseOptions, parseNvidiaSmi } from './nvidia-smi.ts';
import { logTitle, tableTitle } from './printed-value.ts';
import { complain, draftOf, type Reading } from './reading.ts';
import { createLineUnwrapper } from './wrapping.ts';

export interface NvidiaSmiStream {
  /** Reads on. Bytes may be cut within a character, strings within a line. */
  readonly feed: (chunk: Uint8Array | string) => void;
  /** The process has ended: what is complete is read, the rest becomes a reading with a problem. */
  readonly end: () => void;
}

type Mode =
  | { readonly is: 'xml' }
  | { readonly is: 'document' } // text or table: one ends where the next begins
  | { readonly is: 'csv'; readonly header: Header }
  | { readonly is: 'monitor'; readonly columns: readonly string[] };

const xmlEnd = '</nvidia_smi_log>';
const documentBegins = new RegExp(String.raw`^\s*(?:${logTitle.source}|${tableTitle.source})`);
const xmlBegins = /^\s*<(?:\?xml|!DOCTYPE|nvidia_smi_log)/;

/**
 * A reader for one process. `onReading` hears every reading as soon as it is complete, except that one of a text or a
 * table is complete only when the next begins (ask for XML or CSV with `--loop`). Never throws, unless `onReading` does.
 */
export function createNvidiaSmiStream(
  onReading: (reading: Reading) => void,
  options: ParseOptions = {},
): NvidiaSmiStream {
  const decoder = new TextDecoder();
  const unwrapped = createLineUnwrapper();
  const runs = createRunCounter();
  let mode: Mode | undefined =
    options.fields === undefined ? undefined : { is: 'csv', header: headerOfFields(options.fields) };
  /** What waits for its end, in the pieces that came: they are joined only when an end has come. */
  let pieces: string[] = [];
  let pieceCharacters = 0;
  /** The last characters that came, since an end can be cut in two. */
  let tail = '';
  let lines: string[] = [];
  let collected = 0;
  let row = 0;

  const failed = (line: string) => {
    const draft = draftOf('failure');
    const reason = failureIn(line);
    if (reason === undefined) return false;
    complain(draft, reason, line);
    onReading(draft);
    return true;
  };

  const tooMuch = () => {
    const draft = draftOf('unknown');
    complain(draft, 'TooMuch', `more than ${limits.pendingCharacters} characters without an end; dropped`);
    onReading(draft);
  };

  const flushDocument = () => {
    if (lines.length > 0) onReading(parseNvidiaSmi(lines.join('\n'), options));
    lines = [];
    collected = 0;
  };

  const readRow = (header: Header, line: string) => {
    const cells = cellsOf(line, header);
    if (cells.length !== header.columns.length && failed(line)) return;
    const draft = draftOf('query-gpu');
    if (cells.length === header.columns.length) addRow(draft, header, cells, row, runs);
    else complain(draft, 'UnreadableRow', `${cells.length} cells for ${header.columns.length} columns: ${line}`);
    if (draft.processes.length > 0) draft.kind = 'query-compute-apps';
    onReading(draft);
  };

  const readMonitorRow = (columns: readonly string[], line: string) => {
    const cells = monitorCellsOf(line, columns);
    if (cells === undefined && (failed(line) || !beginsLikeRow(line))) return;
    const draft = draftOf(monitorKindOf(columns));
    if (cells === undefined) complain(draft, 'UnreadableRow', line);
    else {
      const { gpu, process } = monitorEntryOf(draft, columns, cells, row);
      if (gpu !== undefined) draft.gpus.push(gpu);
      if (process !== undefined) draft.processes.push(process);
    }
    onReading(draft);
  };

  const readLine = (line: string) => {
    if (line.trim() === '') return;
    const columns = monitorColumnsOf(line);
    const header = mode === undefined ? headerOf(line.trim()) : undefined;
    if (columns !== undefined) mode = { is: 'monitor', columns };
    else if (header !== undefined) mode = { is: 'csv', header };
    else if (mode?.is === 'csv') {
      const next = headerAgain(line, mode.header);
      if (next !== undefined) {
        mode = { is: 'csv', header: next };
        runs.begin();
      } else if (isRemark(line)) failed(line);
      else {
        row += 1;
        readRow(mode.header, line.trimStart());
      }
    } else if (mode?.is === 'monitor') {
      row += 1;
      if (!line.trimStart().startsWith('#')) readMonitorRow(mode.columns, line);
    } else {
      if (line.length <= limits.tableLine && documentBegins.test(line)) {
        if (mode?.is === 'document') flushDocument();
        mode = { is: 'document' };
      } else if (mode === undefined && failed(line)) return;
      lines.push(line);
      collected += line.length;
      if (collected <= limits.pendingCharacters) return;
      lines = [];
      collected = 0;
      tooMuch();
    }
  };

  /** Reads the documents that are complete, and returns what follows them. */
  const readXml = (text: string): string => {
    let from = 0;
    for (;;) {
      const end = text.indexOf(xmlEnd, from);
      if (end === -1) return text.slice(from);
      onReading(parseNvidiaSmi(text.slice(from, end + xmlEnd.length), options));
      from = end + xmlEnd.length;
    }
  };

  /** Reads what is complete, and returns what is not. */
  const readComplete = (text: string): string => {
    let from = 0;
    while (mode?.is !== 'xml') {
      const newline = text.indexOf('\n', from);
      if (newline === -1) return text.slice(from);
      const line = unwrapped(text.slice(from, newline));
      if (mode === undefined && xmlBegins.test(line)) {
        mode = { is: 'xml' };
        lines = []; // prompts and log lines; failures among them were told at once
      } else {
        readLine(line);
        from = newline + 1;
      }
    }
    return readXml(text.slice(from));
  };

  const keep = (text: string) => {
    pieces.push(text);
    pieceCharacters += text.length;
    if (pieceCharacters <= limits.pendingCharacters) return;
    pieces = [];
    pieceCharacters = 0;
    tooMuch();
  };

  const take = (): string => {
    const text = pieces.join('');
    pieces = [];
    pieceCharacters = 0;
    return text;
  };

  return {
    feed(chunk) {
      const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      const recent = tail + text;
      tail = recent.slice(-xmlEnd.length);
      keep(text);
      if (recent.includes(mode?.is === 'xml' ? xmlEnd : '\n')) keep(readComplete(take()));
    },
    end() {
      const rest = take() + decoder.decode();
      if (mode?.is === 'xml' || (mode === undefined && xmlBegins.test(unwrapped(rest)))) {
        if (unwrapped(rest).trim() !== '') onReading(parseNvidiaSmi(rest, options));
      } else if (rest.trim() !== '') readLine(unwrapped(rest));
      flushDocument();
    },
  };
}
