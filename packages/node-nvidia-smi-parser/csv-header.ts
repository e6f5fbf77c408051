// The header of a CSV: the names of its columns, their units, and what stands between cells.
import { limits } from './limits.ts';

export interface Header {
  readonly columns: readonly string[];
  readonly units: Readonly<Record<string, string>>;
  /** What stands between cells; a header of one column leaves it open. */
  readonly separator: ', ' | ',' | '","';
}

const heading = /^([a-z][\w.-]{0,80})(?: ?\[([^\][]{1,16})\])?$/;
const plain = new Set(
  'index name uuid serial count timestamp pstate pid type gpu_name gpu_uuid gpu_bus_id gpu_serial process_name used_memory used_gpu_memory driver_version compute_mode compute_cap persistence_mode display_mode display_active vbios_version'.split(
    ' ',
  ),
);

/** The columns that a line names, or undefined when it is no header. */
export function headerOf(line: string): Header | undefined {
  const isQuoted = line.startsWith('"') && line.endsWith('"') && line.includes('","');
  const separator = isQuoted ? '","' : line.includes(', ') || !line.includes(',') ? ', ' : ',';
  const columns: string[] = [];
  const units: Record<string, string> = Object.create(null);
  let known = false;
  for (const cell of (isQuoted ? line.slice(1, -1) : line).split(separator)) {
    const match = heading.exec(cell.trim());
    if (match === null || columns.length >= limits.entries) return undefined;
    columns.push(match[1]!);
    if (match[2] !== undefined) units[match[1]!] = match[2];
    known ||= plain.has(match[1]!) || /^[a-zA-Z_]+\./.test(match[1]!);
  }
  return known ? { columns, units, separator } : undefined;
}

/** A header made of the fields that a query asked for. */
export const headerOfFields = (fields: readonly string[]): Header => ({ columns: fields, units: {}, separator: ', ' });

/** The header that a line among rows is: the same again, or that of another query in the same log. */
export function headerAgain(line: string, { columns }: Header): Header | undefined {
  const next = headerOf(line.trim());
  return next !== undefined && (next.columns.length > 1 || next.columns.join() === columns.join()) ? next : undefined;
}

export const isOfProcesses = ({ columns }: Header): boolean =>
  columns.some((column) => column === 'pid' || column === 'process_name' || /^used_(?:gpu_)?memory$/.test(column));
