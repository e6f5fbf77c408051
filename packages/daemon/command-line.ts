// Flags and their environment twins from one table, so that help, parsing and defaults cannot disagree. commander reads
// the words and prints the help; a zod schema an option judges the value. Every problem is reported, one line each.
import type { FieldProblem } from '@kubeai/units';
import { Command, CommanderError, Option } from 'commander';
import type { ZodType } from 'zod';
import type { Environment } from './environment.ts';

export interface CommandOption<Value = unknown> {
  /** What help says. */
  readonly describe: string;
  /** Judges the text given; `undefined` when nothing was given, so `.default(…)` and `.optional()` work. */
  readonly schema: ZodType<Value>;
  /** What stands for the value in help, such as PORT or FILE. Without it the option is a switch (`z.stringbool()`). */
  readonly value?: string;
  /** The environment variable with the same meaning; the flag wins. */
  readonly environment?: string;
  /** What help shows as the default. The default itself is the schema's. */
  readonly fallback?: string;
}

/** One word without a flag, in order, such as the DIR of `vectors DIR`. */
export interface CommandOperand {
  readonly name: string;
  readonly describe: string;
  readonly required: boolean;
}

export interface CommandLine<Options extends Record<string, CommandOption>> {
  readonly name: string;
  readonly summary: string;
  /** By camelCase name; the flag is its kebab-case (`ingestPort` → `--ingest-port`). */
  readonly options: Options;
  readonly operands?: readonly CommandOperand[];
  /** Printed under the options in help. */
  readonly epilogue?: string;
}

export type OptionValues<Options extends Record<string, CommandOption>> = {
  readonly [Name in keyof Options]: Options[Name] extends CommandOption<infer Value> ? Value : never;
} & { readonly operands: readonly string[] };

export type CommandOutcome<Values> =
  | { readonly kind: 'run'; readonly values: Values }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'problems'; readonly problems: readonly FieldProblem[] };

/** The part of `process` that a command line touches. */
export interface CommandProcess {
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  exit(code: number): never;
}

/** What the words after the command mean. Pure; problems are named by flag, or by variable when that was their source. */
export function parseCommandLine<Options extends Record<string, CommandOption>>(
  line: CommandLine<Options>,
  words: readonly string[],
  environment: Environment,
): CommandOutcome<OptionValues<Options>> {
  const command = commandOf(line);
  const problems: FieldProblem[] = [];
  let operands: string[] = [];
  try {
    const read = command.parseOptions([...words]);
    operands = read.operands;
    for (const [index, word] of read.unknown.entries()) {
      if (word === '-h' || word === '--help') return { kind: 'help', text: command.helpInformation() };
      if (word.startsWith('-')) problems.push({ field: word.split('=')[0]!, message: `is unknown${near(word, line)}` });
      // What follows an unknown flag is most likely its value; one problem is enough.
      else if (read.unknown[index - 1]?.startsWith('-') !== true) operands.push(word);
    }
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    // commander stops at a flag without its value; its message names the flag.
    const flag = /--[a-z0-9-]+/.exec(cause.message)?.[0] ?? line.name;
    problems.push({ field: flag, message: 'needs a value' });
  }

  const given = command.opts<Record<string, string | true | undefined>>();
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(line.options)) {
    const word = given[name];
    const variable = option.environment === undefined ? undefined : environment[option.environment] || undefined;
    const parsed = option.schema.safeParse(word === true ? 'true' : (word ?? variable));
    if (parsed.success) values[name] = parsed.data;
    else {
      const field = word === undefined && variable !== undefined ? option.environment! : flagOf(name);
      const nothing = word === undefined && variable === undefined;
      const twin = option.environment === undefined ? '' : ` (or ${option.environment})`;
      const wrong = word === '' ? 'must not be empty' : parsed.error.issues.map((issue) => issue.message).join('; ');
      problems.push({ field, message: nothing ? `is required${twin}` : wrong });
    }
  }
  const expected = line.operands ?? [];
  for (const operand of expected.slice(operands.length)) {
    if (operand.required) problems.push({ field: operand.name, message: `is required: ${operand.describe}` });
  }
  for (const extra of operands.slice(expected.length)) problems.push({ field: extra, message: 'is not expected here' });
  if (problems.length > 0) return { kind: 'problems', problems };
  return { kind: 'run', values: { ...values, operands } as unknown as OptionValues<Options> };
}

/** Reads a process's command line. Prints help and exits 0, or prints every problem and exits 2, or returns the values. */
export function readCommandLine<Options extends Record<string, CommandOption>>(
  line: CommandLine<Options>,
  process: CommandProcess,
): OptionValues<Options> {
  const outcome = parseCommandLine(line, process.argv.slice(2), process.env);
  if (outcome.kind === 'run') return outcome.values;
  if (outcome.kind === 'problems') return exitWith(process, line.name, outcome.problems);
  process.stdout.write(outcome.text);
  return process.exit(0);
}

/** Prints each problem on a line of its own and ends the process with 2, the code for wrong usage. */
export function exitWith(
  process: Pick<CommandProcess, 'stderr' | 'exit'>,
  name: string,
  problems: readonly FieldProblem[],
): never {
  for (const { field, message } of problems) process.stderr.write(`${name}: ${field} ${message}\n`);
  return process.exit(2);
}

const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function commandOf(line: CommandLine<Record<string, CommandOption>>): Command {
  const command = new Command(line.name)
    .description(line.summary)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    .configureHelp({ helpWidth: 110 });
  for (const operand of line.operands ?? []) {
    command.argument(operand.required ? `<${operand.name}>` : `[${operand.name}]`, operand.describe);
  }
  for (const [name, option] of Object.entries(line.options)) {
    const notes = [
      option.fallback === undefined ? undefined : `default ${option.fallback}`,
      option.environment === undefined ? undefined : `env ${option.environment}`,
    ].filter((note) => note !== undefined);
    const flags = option.value === undefined ? flagOf(name) : `${flagOf(name)} <${option.value}>`;
    const text = notes.length === 0 ? option.describe : `${option.describe} (${notes.join(', ')})`;
    command.addOption(new Option(flags, text));
  }
  const tail = line.epilogue;
  if (tail !== undefined) {
    const help = command.helpInformation.bind(command);
    command.helpInformation = () => `${help()}\n${tail}\n`;
  }
  return command;
}

/** " (did you mean --x?)" for a flag that differs by a slip of the finger, else a pointer to help. */
function near(word: string, line: CommandLine<Record<string, CommandOption>>): string {
  const wrong = word.split('=')[0]!;
  const flags = Object.keys(line.options).map(flagOf);
  const close = flags.find((flag) => distance(flag, wrong) <= 2);
  return close === undefined ? `; ${line.name} --help lists the flags` : `; did you mean ${close}?`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
