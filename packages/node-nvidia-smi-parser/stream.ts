// Reads the endless output of `nvidia-smi --loop`, dmon and pmon: chunks in, cut anywhere, a reading out for every
// document (XML, text, table) or row (CSV, dmon, pmon). Memory is bounded; a document that never ends is dropped.
import { addRow, cellsOf, type Header, headerOf, headerOfFields } from './csv-output.ts';
import { failureIn } from './failures.ts';
import { limits } from './limits.ts';
import { monitorCellsOf, monitorColumnsOf, monitorEntryOf, monitorKindOf } from './monitor-output.ts';
import { type ParseOptions, parseNvidiaSmi } from './nvidia-smi.ts';
import { complain, draftOf, type Reading } from './reading.ts';

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
const documentBegins = /^\s*(?:={4,}\s?NVSMI LOG\s?={4,}|\|\s{0,20}NVIDIA-SMI \d)/;
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
  let mode: Mode | undefined =
    options.fields === undefined ? undefined : { is: 'csv', header: headerOfFields(options.fields) };
  let pending = '';
  /** Where in `pending` the search for the end of an XML document goes on. */
  let searched = 0;
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
    if (headerOf(line)?.columns.join() === header.columns.join()) return;
    if (cells.length !== header.columns.length && failed(line)) return;
    const draft = draftOf('query-gpu');
    if (cells.length === header.columns.length) addRow(draft, header, cells, row);
    else complain(draft, 'UnreadableRow', `${cells.length} cells for ${header.columns.length} columns: ${line}`);
    if (draft.processes.length > 0) draft.kind = 'query-compute-apps';
    onReading(draft);
  };

  const readMonitorRow = (columns: readonly string[], line: string) => {
    const cells = monitorCellsOf(line, columns);
    if (cells === undefined && failed(line)) return;
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
      row += 1;
      readRow(mode.header, line.trim());
    } else if (mode?.is === 'monitor') {
      row += 1;
      if (!line.trimStart().startsWith('#')) readMonitorRow(mode.columns, line);
    } else {
      if (documentBegins.test(line)) {
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

  /** Documents that are complete in `pending`. */
  const readXml = () => {
    for (;;) {
      const end = pending.indexOf(xmlEnd, searched);
      if (end === -1) break;
      onReading(parseNvidiaSmi(pending.slice(0, end + xmlEnd.length), options));
      pending = pending.slice(end + xmlEnd.length);
      searched = 0;
    }
    searched = Math.max(0, pending.length - xmlEnd.length);
  };

  const readPending = () => {
    let from = 0;
    while (mode?.is !== 'xml') {
      const newline = pending.indexOf('\n', from);
      if (newline === -1) break;
      const line = pending.slice(from, newline).replace(/\r$/, '');
      if (mode === undefined && xmlBegins.test(line)) {
        mode = { is: 'xml' };
        searched = 0;
        break;
      }
      readLine(line);
      from = newline + 1;
    }
    if (from > 0) pending = pending.slice(from);
    if (mode?.is === 'xml') readXml();
    if (pending.length <= limits.pendingCharacters) return;
    pending = '';
    searched = 0;
    tooMuch();
  };

  return {
    feed(chunk) {
      pending += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      readPending();
    },
    end() {
      pending += decoder.decode();
      if (mode?.is === 'xml' || (mode === undefined && xmlBegins.test(pending))) {
        if (pending.trim() !== '') onReading(parseNvidiaSmi(pending, options));
      } else if (pending.trim() !== '') readLine(pending.replace(/\r$/, ''));
      pending = '';
      flushDocument();
    },
  };
}
