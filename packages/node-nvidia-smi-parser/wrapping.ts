// What terminals, logs and programs put around an output: colours, the time or the name of a container before every
// line, marks of comments and quotations, and the string of JSON that holds the whole of it.
import { headerOf } from './csv-header.ts';
import { limits } from './limits.ts';
import { logTitle, tableTitle } from './printed-value.ts';

const escapeCharacter = String.fromCharCode(0x1b);
const colours = new RegExp(`${escapeCharacter}\\[[\\d;?]{0,20}[A-Za-z]`, 'g');
const lineBegins = /^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)(?:[ \t]|$)|> ?)/gm;

/** The text as nvidia-smi printed it, as far as that can be told. */
export function unwrapped(text: string): string {
  let plain = text.replace(/^\uFEFF/, '');
  if (plain.includes('\r')) plain = plain.replaceAll(/\r+\n?/g, '\n');
  if (plain.includes(escapeCharacter)) plain = plain.replaceAll(colours, '');
  if (inString.test(plain)) plain = outOfStrings(plain);
  const begin = plain.slice(0, limits.tableLine).trimStart();
  if (begin.search(lineBegins) === 0) plain = plain.replaceAll(lineBegins, '');
  return withoutPrefix(plain);
}

/** A first line whose line end is spelled in two characters, as in the JSON of Ansible and of a container's log. */
const inString = new RegExp(
  String.raw`(?:${tableTitle.source}[^\n|]{0,120}\||NVSMI LOG={4,}|\[(?:MiB|%)\]|<nvidia_smi_log>)(?:\\r)?\\n`,
);

/** What stands behind a line end in its string is of the JSON and not of the output. */
const outOfStrings = (text: string): string =>
  text
    .replaceAll(/(?:\\r)?\\n/g, '\n')
    .replaceAll(/^".*$/gm, '')
    .replaceAll('\\t', '\t')
    .replaceAll('\\"', '"');

const begins = `(?:${[
  tableTitle.source,
  logTitle.source,
  String.raw`# ?gpu\s`,
  String.raw`GPU \d{1,3}: .{1,80}\(UUID: `,
  '(?:NVIDIA-SMI|DRIVER) version {0,9}: ',
  String.raw`<(?:\?xml|!DOCTYPE nvidia|nvidia_smi_log)`,
].join('|')})`;
const bareBegin = new RegExp(`^\\s{0,40}${begins}`);
const wrappedBegin = new RegExp(`^(.{1,100}?)${begins}`);
const columnNames =
  /^(.{0,100}?[\s"])((?:[a-z][\w.]{0,60}(?: \[[^\][]{1,9}\])?, ){1,60}[a-z][\w.]{0,60}(?: \[[^\][]{1,9}\])?)"?,?$/;

interface Wrapping {
  /** What stands before a line, whatever numbers are in it. */
  readonly before: string;
  readonly isQuoted: boolean;
}

/** What stands around a line that begins an output, `bare` when nothing does; undefined for any other line. */
function wrappingOf(line: string): Wrapping | 'bare' | undefined {
  if (line.length > limits.tableLine) return undefined;
  if (bareBegin.test(line) || headerOf(line.trim()) !== undefined) return 'bare';
  const prefix = wrappedBegin.exec(line)?.[1] ?? prefixOfHeader(line);
  if (prefix === undefined) return undefined;
  const shape = prefix
    .trimEnd()
    .replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    .replaceAll(/\d+/g, '\\d{1,20}');
  const blanks = prefix.length - prefix.trimEnd().length;
  return { before: `^${shape}[ \\t]{0,${blanks}}`, isQuoted: prefix.endsWith('"') };
}

/** Without what stands before the first line of an output and before others too. */
function withoutPrefix(text: string): string {
  for (const line of text.split('\n')) {
    const wrapping = wrappingOf(line);
    if (wrapping === undefined) continue;
    if (wrapping === 'bare') return text;
    const before = new RegExp(wrapping.before, 'gm');
    if ((text.match(before)?.length ?? 0) < 2) return text;
    const bare = text.replaceAll(before, '');
    return wrapping.isQuoted ? bare.replaceAll(/",?$/gm, '') : bare;
  }
  return text;
}

/** The same for one line after another, in an output that never ends: what stands around its first line tells. */
export function createLineUnwrapper(): (line: string) => string {
  let wrapping: Wrapping | 'bare' | undefined;
  let before: RegExp | undefined;
  return (line) => {
    let plain = line.replace(/\r+$/, '').replace(/^\uFEFF/, '');
    if (plain.includes(escapeCharacter)) plain = plain.replaceAll(colours, '');
    if (wrapping === undefined) {
      wrapping = wrappingOf(plain);
      if (wrapping !== undefined && wrapping !== 'bare') before = new RegExp(wrapping.before);
    }
    if (wrapping === undefined || wrapping === 'bare' || before === undefined) return plain;
    const bare = plain.replace(before, '');
    return wrapping.isQuoted ? bare.replace(/",?$/, '') : bare;
  };
}

/** What stands before the names of columns; undefined when nothing does, or they are none. */
function prefixOfHeader(line: string): string | undefined {
  const match = columnNames.exec(line);
  return match !== null && match[1]!.trim() !== '' && headerOf(match[2]!) !== undefined ? match[1] : undefined;
}
