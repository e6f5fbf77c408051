// Reads what `/metrics` pages say: the Prometheus text format and OpenMetrics. Written here because the libraries
// either accept anything as a metric or are ten times slower (a page of 2,000 samples is read once a second beside a
// model server). Pages in the wild have trailing commas, elided lines and stray output of curl, so reading never
// fails: a line that cannot be read becomes a problem beside the samples that could.
import { limits, quoted } from './limits.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  /** May be NaN or infinite, as written. */
  readonly value: number;
}

export interface Family {
  /** counter, gauge, histogram, summary, untyped, unknown, info, stateset, gaugehistogram; absent without a TYPE line. */
  readonly type?: string;
  readonly help?: string;
  readonly unit?: string;
}

export interface Exposition {
  /** What HELP, TYPE and UNIT lines say, by family name. A family may have no sample. */
  readonly families: ReadonlyMap<string, Family>;
  /** By the very name on the line: `x_bucket`, `x_sum` and `x_count` stand apart, since `_count` may be a counter. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  /** `line 12: …`, at most `limits.problems`. */
  readonly problems: readonly string[];
}

const none: Labels = Object.freeze(Object.create(null));
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const escapes: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' };

export interface PageOptions {
  /**
   * Without buckets, which are most of a page, and HELP lines: what somebody who asks once a second for queue and tokens
   * needs. The lines left out are not looked at, so nothing is said about mistakes in them.
   */
  readonly brief?: boolean;
}

/** Never throws; linear in the length of the text. */
export function parseExposition(text: string, { brief = false }: PageOptions = {}): Exposition {
  const families = new Map<string, { type?: string; help?: string; unit?: string }>();
  const samples = new Map<string, Sample[]>();
  const problems: string[] = [];
  let kept = 0;
  let lineNumber = 0;
  const complain = (message: string) => {
    if (problems.length < limits.problems) problems.push(`line ${lineNumber}: ${message}`);
  };

  for (let start = 0; start <= text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    if (brief && (isBucket(text, start, end) || text.startsWith('# HELP', start))) {
      start = end + 1;
      lineNumber += 1;
      continue;
    }
    let line = text.slice(start, end).trim();
    start = end + 1;
    lineNumber += 1;
    if (line === '') continue;
    if (line.startsWith('> ')) line = line.slice(2).trimStart(); // somebody quotes the page
    if (line.startsWith('#')) {
      describe(line, families);
      continue;
    }
    if (kept >= limits.samplesPerPage) {
      complain(`more than ${limits.samplesPerPage} samples; the rest of the page is not read`);
      break;
    }
    const parsed = parseSample(line);
    if (typeof parsed === 'string') {
      complain(parsed);
      continue;
    }
    kept += 1;
    const known = samples.get(parsed.name);
    if (known === undefined) samples.set(parsed.name, [parsed.sample]);
    else known.push(parsed.sample);
  }
  return { families, samples, problems };
}

function isBucket(text: string, start: number, end: number): boolean {
  const brace = text.indexOf('{', start);
  return brace !== -1 && brace < end && text.startsWith('_bucket', brace - 7);
}

function describe(line: string, families: Map<string, { type?: string; help?: string; unit?: string }>): void {
  const match = /^#\s*(HELP|TYPE|UNIT)\s+("(?:[^"\\]|\\.)*"|\S+)(?:\s+([\s\S]*))?$/.exec(line);
  if (match === null) return; // any other comment, and `# EOF`
  const [, keyword, written, rest = ''] = match;
  const name = written!.startsWith('"') ? unescaped(written!.slice(1, -1)) : written!;
  const family = families.get(name) ?? {};
  if (keyword === 'HELP') family.help = unescaped(rest);
  else if (keyword === 'TYPE') family.type = rest.trim().toLowerCase();
  else family.unit = rest.trim();
  families.set(name, family);
}

const unescaped = (text: string): string =>
  text.includes('\\') ? text.replace(/\\(.)/g, (whole, letter: string) => escapes[letter] ?? whole) : text;

/** The sample on one trimmed, non-empty line, or what is wrong with it. */
function parseSample(line: string): { name: string; sample: Sample } | string {
  const brace = line.indexOf('{');
  const blank = line.search(/\s/);
  let name: string;
  let labels = none;
  let rest: string;
  if (brace !== -1 && (blank === -1 || brace < blank || line.slice(blank, brace).trim() === '')) {
    const inside = parseLabels(line, brace + 1);
    if (typeof inside === 'string') return inside;
    name = line.slice(0, brace).trim();
    if (name === '' && inside.name !== undefined) name = inside.name;
    else if (!metricName.test(name)) return `no metric name: ${quoted(line)}`;
    labels = inside.labels;
    rest = line.slice(inside.end).trimStart();
  } else {
    if (blank === -1) return `neither labels nor a value: ${quoted(line)}`;
    name = line.slice(0, blank);
    if (!metricName.test(name)) return `no metric name: ${quoted(line)}`;
    rest = line.slice(blank).trimStart();
  }
  // A timestamp and an OpenMetrics exemplar may follow the value. Neither is needed, but garbage is not a sample.
  const [written = '', timestamp, ...more] = rest.split(/\s+/, 4);
  const value = numberFrom(written);
  if (value === undefined) return `${quoted(written)} is no value of ${name}`;
  const followed = timestamp === undefined || timestamp.startsWith('#') || numberFrom(timestamp) !== undefined;
  if (!followed || (more.length > 0 && !timestamp!.startsWith('#') && !more[0]!.startsWith('#')))
    return `unexpected text after the value of ${name}`;
  return { name, sample: { labels, value } };
}

/** A number as both formats write it, `+Inf` and `NaN` included; undefined for anything else. */
export function numberFrom(written: string): number | undefined {
  if (decimal.test(written)) return Number(written);
  switch (written.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case 'inf':
    case '+inf':
    case 'infinity':
    case '+infinity':
      return Number.POSITIVE_INFINITY;
    case '-inf':
    case '-infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      return undefined;
  }
}

/** What stands between braces, from the first character after `{`. Quoted names are those of UTF-8 metric names. */
function parseLabels(line: string, from: number): { labels: Labels; name?: string; end: number } | string {
  const labels: Record<string, string> = Object.create(null);
  let name: string | undefined;
  let count = 0;
  let at = from;
  for (;;) {
    while (at < line.length && /[\s,]/.test(line[at]!)) at += 1;
    if (at >= line.length) return `braces are not closed: ${quoted(line)}`;
    if (line[at] === '}') return name === undefined ? { labels, end: at + 1 } : { labels, name, end: at + 1 };
    count += 1;
    if (count > limits.labelsPerSample) return `more than ${limits.labelsPerSample} labels`;
    let label: string;
    if (line[at] === '"') {
      const close = closingQuote(line, at + 1);
      if (close === -1) return `a quote is not closed: ${quoted(line)}`;
      label = unescaped(line.slice(at + 1, close));
      at = close + 1;
      if (line[at] !== '=') {
        name = label;
        continue;
      }
    } else {
      const equals = line.indexOf('=', at);
      if (equals === -1) return `a label without a value: ${quoted(line)}`;
      label = line.slice(at, equals).trim();
      if (!/^[a-zA-Z_][a-zA-Z0-9_.]*$/.test(label)) return `no label name: ${quoted(label)}`;
      at = equals;
    }
    at += 1;
    while (line[at] === ' ') at += 1;
    if (line[at] !== '"') return `the value of label ${label} is not quoted`;
    const close = closingQuote(line, at + 1);
    if (close === -1) return `a quote is not closed: ${quoted(line)}`;
    labels[label] = unescaped(line.slice(at + 1, close));
    at = close + 1;
  }
}

function closingQuote(line: string, from: number): number {
  for (let at = from; at < line.length; at += 1) {
    if (line[at] === '\\') at += 1;
    else if (line[at] === '"') return at;
  }
  return -1;
}
