// Turns what nvidia-smi prints into numbers, whichever of its outputs it is. Drivers rename fields, add new ones and
// print "[N/A]", so parsing never fails: what cannot be read becomes a problem beside what could.
// Starting the process is not done here.
import { headerOf, isOfProcesses } from './csv-header.ts';
import { readCsvOutput } from './csv-output.ts';
import { failureIn, noteFailures } from './failures.ts';
import { limits } from './limits.ts';
import { monitorColumnsOf, readMonitorOutput } from './monitor-output.ts';
import { listedGpu, logTitle, tableTitle } from './printed-value.ts';
import { complain, type Draft, draftOf, type Kind, type Reading } from './reading.ts';
import { readListOutput, readVersionOutput, versionLine } from './short-outputs.ts';
import { bareRows, readTableOutput, rowOfGpu } from './table-output.ts';
import { bareSection, gpuLine, readTextOutput } from './text-output.ts';
import { unwrapped } from './wrapping.ts';
import { bareElement, readXmlOutput } from './xml-output.ts';

export interface ParseOptions {
  /** The fields of `--query-gpu` or `--query-compute-apps`, for an output without header (`noheader`). */
  readonly fields?: readonly string[];
}

/**
 * Reads any output of nvidia-smi, several runs in one log included. Never throws, takes time linear in the length of
 * the text, and leaves out what the text does not say: an absent field is unknown, never 0.
 */
export function parseNvidiaSmi(text: string, options: ParseOptions = {}): Reading {
  const read = text.length > limits.characters ? text.slice(0, limits.characters) : text;
  const normal = unwrapped(read);
  const draft = readAs(kindOf(normal, options), normal, options);
  if (read !== text) complain(draft, 'TooMuch', `only the first ${limits.characters} characters are read`);
  return draft;
}

function readAs(kind: Kind, text: string, options: ParseOptions): Draft {
  switch (kind) {
    case 'xml':
      return readXmlOutput(text);
    case 'text':
      return readTextOutput(text);
    case 'table':
      return readTableOutput(text);
    case 'dmon':
    case 'pmon':
      return readMonitorOutput(text);
    case 'list':
      return readListOutput(text);
    case 'version':
      return readVersionOutput(text);
    case 'query-gpu':
    case 'query-compute-apps':
    case 'unknown':
      return readCsvOutput(text, options.fields);
    case 'failure': {
      const draft = draftOf('failure');
      noteFailures(draft, text.split('\n'));
      return draft;
    }
    case 'empty': {
      const draft = draftOf('empty');
      complain(draft, 'Empty', 'nothing was printed');
      return draft;
    }
  }
}

/**
 * Which output a text is, by the first line that only one of them has; failures may stand before it. A report often
 * begins with the list, the version, a monitor or the processes: a table, a text or a CSV of GPUs below says more.
 */
function kindOf(text: string, { fields }: ParseOptions): Kind {
  if (text.trim() === '') return 'empty';
  if (/<nvidia_smi_log[\s>]|<!DOCTYPE nvidia_smi_log|<gpu id=/.test(text) || bareElement.test(text)) return 'xml';
  let hasFailure = false;
  let short: Kind | undefined;
  for (const line of text.split('\n')) {
    const content = line.trim();
    if (content === '') continue;
    const kind = content.length > limits.tableLine ? kindOfLongLine(content) : kindOfLine(content);
    if (kind !== undefined && saysMore.has(kind)) return kind;
    if (kind !== undefined && (short === undefined || weightOf(kind) > weightOf(short))) short = kind;
    // Rows without header may follow a warning.
    hasFailure ||= (failureIn(content) ?? 'Warning') !== 'Warning';
  }
  if (short !== undefined) return short;
  if (bareRows.test(text)) return 'table';
  if (hasFailure && fields === undefined && !bareSection.test(text)) return 'failure';
  if (fields !== undefined) return 'query-gpu';
  return bareSection.test(text) ? 'text' : 'unknown';
}

const saysMore: ReadonlySet<Kind> = new Set(['table', 'text', 'query-gpu']);
/** Of the others the list says more than the version, and both introduce what follows. */
const weightOf = (kind: Kind): number => (kind === 'version' ? 0 : kind === 'list' ? 1 : 2);

function kindOfLongLine(content: string): Kind | undefined {
  const header = headerOf(content);
  return header === undefined ? undefined : isOfProcesses(header) ? 'query-compute-apps' : 'query-gpu';
}

/** Columns divide it, which they do not in the tables of `nvidia-smi mig`. */
const tableHeading = /^\|\s{0,20}GPU\s{1,10}(?:Name|Fan)\b[^|]{0,80}\|\s{0,20}[^|\s]/;

function kindOfLine(content: string): Kind | undefined {
  if (logTitle.test(content) || gpuLine.test(content)) return 'text';
  if (content.search(tableTitle) === 0 || tableHeading.test(content) || rowOfGpu.test(content)) return 'table';
  if (monitorColumnsOf(content) !== undefined) return 'dmon';
  if (listedGpu.test(content)) return 'list';
  if (versionLine.test(content)) return 'version';
  return kindOfLongLine(content);
}
