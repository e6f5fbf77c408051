// The bounds of everything that is read here: the text comes from another process, and may be endless or garbage.

export const limits = {
  /** Characters of one output that are read; eight GPUs in XML are half a million. */
  characters: 16 * 1024 * 1024,
  /** Characters that a stream keeps while one document or line is not complete. */
  pendingCharacters: 8 * 1024 * 1024,
  /** GPUs, MIG devices, processes or rows kept of one output. */
  entries: 20_000,
  /** Nesting of XML elements and of sections; nvidia-smi uses six levels. */
  depth: 24,
  /** Problems listed of one output; what comes after is left out. */
  problems: 50,
  /** Characters of a line of the table, of a title or of a list; longer lines are none of these. */
  tableLine: 400,
  /** Characters of a command that a log repeats; all fields of a driver together are 6,000. */
  command: 8_000,
  /** Characters of the input quoted in a problem. */
  quoted: 120,
} as const;

/** A piece of the input, short enough for one line. */
export const quoted = (text: string): string => {
  const line = text.trim().replaceAll('\n', ' ');
  return line.length > limits.quoted ? `${line.slice(0, limits.quoted)}…` : line;
};
