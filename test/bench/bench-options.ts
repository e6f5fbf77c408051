// The words that every bench understands, and how it keeps its figures.
import { writeFileSync } from 'node:fs';
import { type CommandLine, type CommandOption, onOutputLost, readCommandLine } from '@kubeai/daemon';
import { z } from 'zod';

/** What a bench was told; it ends when nobody takes its figures any more. */
export function readBenchLine<Options extends Record<string, CommandOption>>(line: CommandLine<Options>) {
  onOutputLost(process, line.name);
  return readCommandLine(line, process);
}

export const jsonOption = {
  value: 'FILE',
  describe: 'keep the figures here',
  schema: z.string().min(1, 'must name a file').optional(),
};

export const wholeNumberOption = (describe: string, value: string, fallback: number) => ({
  value,
  describe,
  fallback: String(fallback),
  schema: z
    .string()
    .regex(/^[1-9]\d*$/, 'must be a whole number above 0')
    .transform(Number)
    .default(fallback),
});

export function keepFigures(file: string | undefined, figures: object): void {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
}
