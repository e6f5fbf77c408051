#!/usr/bin/env node
// `node-nvidia-smi-parser FILE... | -`: prints what each file says as JSON. Problems stand in the JSON; the exit code is
// 0 as long as every file could be read, so that a script can always look at them.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseNvidiaSmi } from './nvidia-smi.ts';
import { asPrinted } from './printed-names.ts';

const help = `Usage: node-nvidia-smi-parser [--fields a,b,c] FILE... | -

Reads what nvidia-smi printed and prints it as JSON: an object for one file, a list for several.
A dash reads standard input. Understands -q -x, -q, the plain table, --query-gpu and
--query-compute-apps as CSV, dmon, pmon, -L, --version, and the texts of failures.

  --fields LIST  columns of a CSV that was written without header
  -h, --help     this text

Exit code: 0 also when the output holds problems (see "problems"), 2 when a file cannot be read; the others are.
`;

/** PowerShell writes redirected output as UTF-16. */
function decode(bytes: Buffer): string {
  const mark = bytes.subarray(0, 2).toString('hex');
  return new TextDecoder(mark === 'fffe' ? 'utf-16le' : mark === 'feff' ? 'utf-16be' : 'utf-8').decode(bytes);
}

const options = { fields: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;

function main(words: readonly string[]): number {
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (cause) {
    return refuse(`${messageOf(cause)}; see --help`);
  }
  const { values, positionals: files } = parsed;
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  if (files.length === 0) return refuse('name a file, or - for standard input; see --help');

  const fields = values.fields?.split(',').map((field) => field.trim());
  const readings: unknown[] = [];
  let code = 0;
  for (const file of files) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file === '-' ? 0 : file);
    } catch (cause) {
      code = refuse(`${file} cannot be read: ${messageOf(cause)}`);
      continue;
    }
    const reading = parseNvidiaSmi(decode(bytes), fields === undefined ? {} : { fields });
    readings.push({ file, ...asPrinted(reading) });
  }
  if (readings.length > 0)
    process.stdout.write(`${JSON.stringify(files.length === 1 ? readings[0] : readings, null, 2)}\n`);
  return code;
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

function refuse(message: string): number {
  process.stderr.write(`node-nvidia-smi-parser: ${message}\n`);
  return 2;
}

// A reader who leaves (`| head`) ends the command as SIGPIPE would; a full disk is one line.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') process.stderr.write(`node-nvidia-smi-parser: standard output cannot be written: ${message}\n`);
  process.exit(code === 'EPIPE' ? 141 : 1);
});
process.exitCode = main(process.argv.slice(2));
