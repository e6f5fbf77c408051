// What is wrong with the spec of a policy, by the field its author wrote, in words that say what would be right.
import type { FieldProblem } from '@kubeai/units';
import { Cron } from 'croner';
import type { z } from 'zod';
import { knownMetricNames, metricOfWeight } from './metric.ts';
import { asObject, type Rule, rules, type Unchecked } from './rules.ts';

const pathOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );

export function problemsOf(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[]): FieldProblem[] {
  const path = [...prefix, ...issue.path];
  // A union failed in every branch: say what the branch of the right outer type complains about, else what is expected.
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.find((branch) =>
      branch.every(({ code, path }) => code !== 'invalid_type' || path.length > 0),
    );
    if (inner !== undefined && inner.length > 0) return inner.flatMap((each) => problemsOf(each, path));
    return [{ field: pathOf(path), message: 'must be a list of numbers or a map from metric name to number' }];
  }
  return [{ field: pathOf(path), message: messageOf(issue) }];
}

const articled = (noun: string) => `${/^[aeio]/.test(noun) ? 'an' : 'a'} ${noun}`;

const words: Readonly<Record<string, string>> = { int: 'whole number', array: 'list' };

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is required';
      return `must be ${articled(words[issue.expected] ?? issue.expected)}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'string') return 'must not be empty';
      return `must be ${issue.inclusive === false ? 'greater than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      if (issue.origin === 'string') return `must have at most ${issue.maximum} characters`;
      if (issue.origin === 'array') return `must have at most ${issue.maximum} entries`;
      return `must be at most ${issue.maximum}`;
    case 'invalid_format':
      return issue.format === 'url' ? 'must be an http or https URL' : `must match ${issue.pattern ?? issue.format}`;
    default:
      return issue.message;
  }
}

/** What each block needs when it is on; those with a default target need nothing. */
const targetRules: Readonly<Record<string, readonly Rule[]>> = {
  latency: rules.latencyTarget,
  timeToFirstToken: rules.latencyTarget,
  interTokenLatency: rules.latencyTarget,
  concurrency: rules.perReplicaTarget,
  tokensPerSecond: rules.perReplicaTarget,
  kvCacheUtilization: rules.percentageTarget,
  gpuMemory: rules.percentageTarget,
  cpuUtilization: rules.percentageTarget,
  memoryUtilization: rules.percentageTarget,
};

/** Problems between fields, found on unchecked input so that one bad field hides no other problem. */
export function brokenRules(spec: Unchecked | undefined): FieldProblem[] {
  if (spec === undefined) return [];
  const metrics = asObject(spec['metrics']) ?? {};
  const algorithm = asObject(spec['algorithm']) ?? {};
  return [
    ...broken(rules.spec, spec, 'spec'),
    ...Object.entries(targetRules).flatMap(([name, list]) => broken(list, metrics[name], `spec.metrics.${name}`)),
    ...each(metrics['custom'], (entry, index) => broken(rules.customMetric, entry, `spec.metrics.custom[${index}]`)),
    ...repeatedNames(metrics['custom'], 'spec.metrics.custom'),
    ...broken(rules.fallback, spec['fallback'], 'spec.fallback'),
    ...broken(rules.plugin, algorithm['plugin'], 'spec.algorithm.plugin'),
    ...broken(rules.prometheus, spec['prometheus'], 'spec.prometheus'),
    ...weightProblems(algorithm['weights']),
    ...each(spec['schedule'], (entry, index) => [
      ...broken(rules.scheduleEntry, entry, `spec.schedule[${index}]`),
      ...cronProblems(asObject(entry), `spec.schedule[${index}]`),
    ]),
    ...repeatedNames(spec['schedule'], 'spec.schedule'),
  ];
}

function broken(list: readonly Rule[], value: unknown, at: string): FieldProblem[] {
  const self = asObject(value);
  if (self === undefined) return [];
  return list
    .filter((rule) => rule.broken(self))
    .map(({ field, message }) => ({ field: field === '' ? at : `${at}.${field}`, message }));
}

const each = <Found>(list: unknown, visit: (entry: unknown, index: number) => Found[]): Found[] =>
  Array.isArray(list) ? list.flatMap(visit) : [];

function repeatedNames(list: unknown, at: string): FieldProblem[] {
  const seen = new Set<unknown>();
  return each(list, (entry, index) => {
    const name = asObject(entry)?.['name'];
    if (name === undefined || !seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [{ field: `${at}[${index}].name`, message: `must be unique: ${String(name)} stands twice` }];
  });
}

function weightProblems(weights: unknown): FieldProblem[] {
  return Object.keys(asObject(weights) ?? {})
    .filter((name) => metricOfWeight(name) === undefined)
    .map((name) => ({
      field: `spec.algorithm.weights.${name}`,
      message: `names no metric: use ${knownMetricNames.join(', ')} or custom:NAME`,
    }));
}

function cronProblems(entry: Unchecked | undefined, at: string): FieldProblem[] {
  const [cron, timeZone] = [entry?.['cron'], entry?.['timeZone'] ?? 'UTC'];
  const problems: FieldProblem[] = [];
  if (typeof timeZone === 'string' && !isTimeZone(timeZone)) {
    problems.push({ field: `${at}.timeZone`, message: 'must be an IANA time zone such as Europe/Berlin' });
  }
  if (typeof cron === 'string') {
    const message = cronProblem(cron);
    if (message !== undefined) problems.push({ field: `${at}.cron`, message });
  }
  return problems;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false; // the constructor throws exactly when the zone is unknown
  }
}

/** Asked from a fixed instant, so that the answer is the same for ever: years of every length follow it. */
const anyInstant = new Date(0);

function cronProblem(text: string): string | undefined {
  const form = 'must be five cron fields such as "0 8 * * 1-5"';
  if (text.trim().split(/\s+/).length !== 5) return form;
  try {
    const first = new Cron(text, { paused: true }).nextRun(anyInstant);
    return first === null ? 'must name a day that exists: this one never comes' : undefined;
  } catch {
    return form; // croner has no other way to say that a pattern is wrong
  }
}

/** A field that is absent is told once, not once by the schema and again by a rule. */
export function withoutRepeats(problems: readonly FieldProblem[]): FieldProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ field, message }) => {
    const key = `${field}\n${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
