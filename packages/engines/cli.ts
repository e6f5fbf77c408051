// `cli.ts engine|dcgm|sse FILE...`: prints what a metrics page, a DCGM page or a response body says as JSON. Problems
// stand in the JSON; the exit code is 2 only when a file cannot be read or the command is wrong.
import { readFileSync } from 'node:fs';
import { readDcgm } from './dcgm.ts';
import { dcgmiHeader, readDcgmiDmon } from './dcgmi-dmon.ts';
import { printedDcgm, printedDcgmi, printedEngine, printedTokens } from './printed-names.ts';
import { readPage } from './prometheus-answer.ts';
import { createTokenReader } from './token-reader.ts';

const help = `Usage: parse engine|dcgm|sse FILE... | -

  engine  a /metrics page of an inference engine, or a Prometheus API answer over one
  dcgm    a dcgm-exporter page, a Prometheus API answer over one, or dcgmi dmon
  sse     a response body: server-sent events (*.sse), JSON or NDJSON (*.json), else told by its first bytes

Prints an object for one file, a list for several; a dash reads standard input. null means "not said".
Exit code: 0, also when there are problems (see "problems"); 2 when a file cannot be read.
`;

/** PowerShell writes redirected output as UTF-16. */
function decode(bytes: Buffer): string {
  const mark = bytes.subarray(0, 2).toString('hex');
  return new TextDecoder(mark === 'fffe' ? 'utf-16le' : mark === 'feff' ? 'utf-16be' : 'utf-8').decode(bytes);
}

/** A body as the wire had it: nothing in it may be guessed. */
const isPacked = (bytes: Buffer): boolean => bytes.subarray(0, 2).toString('hex') === '1f8b';
const packed = 'the file is compressed with gzip; unpack it first';

function bodyOf(file: string, text: string): Record<string, unknown> {
  const type = /\.sse$/.test(file) ? 'text/event-stream' : /jsonl?$/.test(file) ? 'application/json' : undefined;
  const reader = createTokenReader(type);
  reader.feed(Buffer.from(text));
  return printedTokens(reader.end());
}

const parsers: Readonly<Record<string, (file: string, text: string) => Record<string, unknown>>> = {
  engine: (_file, text) => printedEngine(readPage(text)),
  dcgm: (_file, text) => (dcgmiHeader.test(text) ? printedDcgmi(readDcgmiDmon(text)) : printedDcgm(readDcgm(text))),
  sse: bodyOf,
};

function main([what, ...files]: readonly string[]): number {
  if (what === '-h' || what === '--help' || files.includes('--help')) {
    process.stdout.write(help);
    return 0;
  }
  const parse = parsers[what ?? ''];
  if (parse === undefined) return refuse(`${what ?? 'nothing'} is none of engine, dcgm and sse; see --help`);
  const flag = files.find((file) => /^-./.test(file));
  if (flag !== undefined) return refuse(`${flag} is no option; a file of that name is ./${flag}; see --help`);
  if (files.length === 0) return refuse('name a file, or - for standard input; see --help');
  const printed: unknown[] = [];
  for (const file of files) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file === '-' ? 0 : file);
    } catch (cause) {
      return refuse(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    printed.push({ file, ...(isPacked(bytes) ? { problems: [packed] } : parse(file, decode(bytes))) });
  }
  process.stdout.write(`${JSON.stringify(printed.length === 1 ? printed[0] : printed, null, 2)}\n`);
  return 0;
}

function refuse(message: string): number {
  process.stderr.write(`parse: ${message}\n`);
  return 2;
}

// A reader who leaves (`| head`) ends the command as SIGPIPE would; a full disk is one line.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') process.stderr.write(`parse: standard output cannot be written: ${message}\n`);
  process.exit(code === 'EPIPE' ? 141 : 1);
});
process.exitCode = main(process.argv.slice(2));
