// Lines and cells of text tables, as spreadsheets and scripts write them: with a byte order mark or without, lines that end
// in CR LF, cells in quotes.

export const linesOf = (text: string): string[] => text.replace(/^\uFEFF/, '').split(/\r?\n/);

/** The cells of a line, without the space and the quotes around them. */
export function cellsOf(line: string): string[] {
  if (!line.includes('"')) return line.split(',').map((cell) => cell.trim());
  const cells: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let at = 0; at <= line.length; at += 1) {
    if (line[at] === '"') isQuoted = !isQuoted;
    if (at < line.length && (line[at] !== ',' || isQuoted)) continue;
    cells.push(unquoted(line.slice(from, at).trim()));
    from = at + 1;
  }
  return cells;
}

const unquoted = (cell: string): string =>
  /^".*"$/.test(cell) ? cell.slice(1, -1).replaceAll('""', '"').trim() : cell;

/** The beginning of what stood there, for a message: a line of a wrong file may be very long, and no text at all. */
export const clipped = (text: string): string =>
  (text.length > 60 ? `${text.slice(0, 60)}…` : text).replaceAll(/\p{Cc}/gu, '?');
