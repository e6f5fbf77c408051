// `cli.ts engine|dcgm|sse FILE...`: prints what a metrics page, a DCGM page or a response body says as JSON. Problems
// stand in the JSON; the exit code is 2 only when a file cannot be read or the command is wrong.
import { readFileSync } from 'node:fs';
import { readDcgm } from './dcgm.ts';
import { readDcgmiDmon } from './dcgmi-dmon.ts';
import { type Exposition, parseExposition } from './exposition.ts';
import { printedDcgm, printedDcgmi, printedEngine, printedTokens } from './printed-names.ts';
import { readPrometheusAnswer } from './prometheus-answer.ts';
import { createTokenReader } from './token-reader.ts';

const help = `Usage: parse engine|dcgm|sse FILE... | -

  engine  a /metrics page of an inference engine, or a Prometheus API answer over one
  dcgm    a dcgm-exporter page, a Prometheus API answer over one, or dcgmi dmon
  sse     a response body: server-sent events (*.sse), JSON or NDJSON (*.json), else told by its first bytes

Prints an object for one file, a list for several; a dash reads standard input. null means "not said".
Exit code: 0, also when there are problems (see "problems"); 2 when a file cannot be read.
`;

const isJson = (text: string): boolean => text.trimStart().startsWith('{');

/** The page that a text is, in either of its forms. */
const pageOf = (text: string): Exposition => (isJson(text) ? readPrometheusAnswer(text) : parseExposition(text));

function bodyOf(file: string, bytes: Buffer): Record<string, unknown> {
  const type = /\.sse$/.test(file) ? 'text/event-stream' : /jsonl?$/.test(file) ? 'application/json' : undefined;
  const reader = createTokenReader(type);
  reader.feed(bytes);
  return printedTokens(reader.end());
}

const parsers: Readonly<Record<string, (file: string, bytes: Buffer) => Record<string, unknown>>> = {
  engine: (_file, bytes) => printedEngine(pageOf(bytes.toString('utf8'))),
  dcgm: (_file, bytes) => {
    const text = bytes.toString('utf8');
    return /^\s*#\s?Entity\b/m.test(text) ? printedDcgmi(readDcgmiDmon(text)) : printedDcgm(readDcgm(pageOf(text)));
  },
  sse: bodyOf,
};

function main([what, ...files]: readonly string[]): number {
  if (what === '-h' || what === '--help' || files.includes('--help')) {
    process.stdout.write(help);
    return 0;
  }
  const parse = parsers[what ?? ''];
  if (parse === undefined) return refuse(`${what ?? 'nothing'} is none of engine, dcgm and sse; see --help`);
  if (files.length === 0) return refuse('name a file, or - for standard input; see --help');
  const printed: unknown[] = [];
  for (const file of files) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file === '-' ? 0 : file);
    } catch (cause) {
      return refuse(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    printed.push({ file, ...parse(file, bytes) });
  }
  process.stdout.write(`${JSON.stringify(printed.length === 1 ? printed[0] : printed, null, 2)}\n`);
  return 0;
}

function refuse(message: string): number {
  process.stderr.write(`parse: ${message}\n`);
  return 2;
}

process.exitCode = main(process.argv.slice(2));
