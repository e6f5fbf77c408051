#!/usr/bin/env node
// `node-nvidia-smi-parser FILE... | -`: prints what each file says as JSON. Problems stand in the JSON; the exit code is
// 0 as long as every file could be read, so that a script can always look at them.
import { readFileSync } from 'node:fs';
import { parseNvidiaSmi } from './nvidia-smi.ts';
import { asPrinted } from './printed-names.ts';

const help = `Usage: node-nvidia-smi-parser [--fields a,b,c] FILE... | -

Reads what nvidia-smi printed and prints it as JSON: an object for one file, a list for several.
A dash reads standard input. Understands -q -x, -q, the plain table, --query-gpu and
--query-compute-apps as CSV, dmon, pmon, -L, --version, and the texts of failures.

  --fields LIST  columns of a CSV that was written without header
  -h, --help     this text

Exit code: 0 also when the output holds problems (see "problems"), 2 when a file cannot be read.
`;

/** PowerShell writes redirected output as UTF-16. */
function decode(bytes: Buffer): string {
  return bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.subarray(2).toString('utf16le') : bytes.toString('utf8');
}

function main(words: readonly string[]): number {
  const files: string[] = [];
  let fields: string[] | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === '-h' || word === '--help') {
      process.stdout.write(help);
      return 0;
    }
    if (word === '--fields') {
      at += 1;
      fields = words[at]?.split(',').map((field) => field.trim());
      if (fields === undefined) return refuse('--fields needs a list such as name,uuid,memory.used');
    } else if (word.startsWith('-') && word !== '-') return refuse(`${word} is no option; see --help`);
    else files.push(word);
  }
  if (files.length === 0) return refuse('name a file, or - for standard input; see --help');

  const readings: unknown[] = [];
  for (const file of files) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file === '-' ? 0 : file);
    } catch (cause) {
      return refuse(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    const reading = parseNvidiaSmi(decode(bytes), fields === undefined ? {} : { fields });
    readings.push({ file, ...asPrinted(reading) });
  }
  process.stdout.write(`${JSON.stringify(readings.length === 1 ? readings[0] : readings, null, 2)}\n`);
  return 0;
}

function refuse(message: string): number {
  process.stderr.write(`node-nvidia-smi-parser: ${message}\n`);
  return 2;
}

process.exitCode = main(process.argv.slice(2));
