// Reads `dcgmi dmon -e …`: a table of watched fields, a row for every entity and interval, the header repeated now and
// then. The first row after the host engine starts holds nothing but N/A, which is not zero.
import { isBlank } from './dcgm.ts';
import { numberFrom } from './exposition.ts';
import { limits, quoted } from './limits.ts';

export interface DcgmiRow {
  /** `GPU 0`, `GPU-I 3`, as printed. */
  readonly entity: string;
  /** In the order of `columns`; undefined where nothing was known. */
  readonly values: readonly (number | undefined)[];
}

export interface DcgmiReading {
  /** Short names as printed (GRACT, SMACT, GPUTL, …). `…ACT` and DRAMA are ratios 0..1, `…UTL` are percent. */
  readonly columns: readonly string[];
  readonly rows: readonly DcgmiRow[];
  readonly problems: readonly string[];
}

/** What ends somewhere. */
const mostOf = (column: string): number =>
  /UTL$/.test(column)
    ? 100
    : /ACT$|^(?:SMOCC|TENSO|DRAMA)$|^FP\d\dA$/.test(column)
      ? limits.fullShare
      : Number.POSITIVE_INFINITY;

/** The first line of a table. Looks at blanks of its own line only, lest it try all empty lines at each of them. */
export const dcgmiHeader = /^[ \t]*#[ \t]*Entity\b/m;

/** Never throws. */
export function readDcgmiDmon(text: string): DcgmiReading {
  let columns: readonly string[] = [];
  const rows: DcgmiRow[] = [];
  const problems: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '') continue;
    if (words[0]!.startsWith('#')) {
      if (!dcgmiHeader.test(line)) continue; // somebody's comment between the runs
      columns = (words[0] === '#' ? words.slice(2) : words.slice(1)).filter((word) => word !== '');
      continue;
    }
    if (/^id$/i.test(words[0]!)) continue; // second line of the header, with units where a column has one
    const numbered = /^(GPU|GPU-I|GPU-CI|MIG|Switch|Link|CPU|Core)$/i.test(words[0]!) && /^\d+$/.test(words[1] ?? '');
    const cells = words.slice(numbered ? 2 : 1);
    if (columns.length === 0 || cells.length !== columns.length || rows.length >= limits.samplesPerPage) {
      if (problems.length < limits.problems) problems.push(`no row of the table: ${quoted(line)}`);
      continue;
    }
    const values = cells.map((cell, index) => {
      const value = numberFrom(cell);
      if (value === undefined || isBlank(value)) return undefined;
      if (value >= 0 && value <= mostOf(columns[index]!)) return value;
      if (problems.length < limits.problems) problems.push(`${cell} is no value of ${columns[index]}`);
      return undefined;
    });
    rows.push({ entity: numbered ? `${words[0]} ${words[1]}` : words[0]!, values });
  }
  return { columns, rows, problems };
}
