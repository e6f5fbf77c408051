// Reads what Prometheus' HTTP API answers to a query. An instant vector is a page of samples under other clothes, so
// it becomes one, and whoever reads pages reads answers too. Of a range only the latest value of each series is kept.
import { type Exposition, type Labels, numberFrom, parseExposition, type Sample } from './exposition.ts';
import { limits, quoted } from './limits.ts';

/** A scalar or an expression without a metric name stands under this name. */
export const nameless = '';

export interface PrometheusAnswer extends Exposition {
  readonly ok: boolean;
  /** Prometheus' own clock at the newest sample, in seconds since the epoch. */
  readonly atSeconds?: number;
}

/** An object that begins with a key; a prompt or a command may stand above it, and names in quotes begin lines of a page. */
const answerBegins = /^\s{0,40}\{\s{0,40}(?:"\w{1,40}"\s{0,4}:|\})/m;

/** Never throws. The page that a text is, or that Prometheus' answer in it tells of. */
export function readPage(text: string): Exposition {
  const at = text.search(answerBegins);
  return at === -1 ? parseExposition(text) : readPrometheusAnswer(text.slice(at));
}

/** Never throws. `ok` is false when the text is no answer of Prometheus, or one that tells of an error. */
export function readPrometheusAnswer(text: string): PrometheusAnswer {
  const problems: string[] = [];
  const samples = new Map<string, Sample[]>();
  const failed = (problem: string): PrometheusAnswer => ({
    ok: false,
    families: new Map(),
    samples: new Map(),
    problems: [problem],
  });
  let answer: unknown;
  try {
    answer = JSON.parse(text.trim()); // with a byte order mark, too
  } catch (cause) {
    return failed(`no JSON: ${cause instanceof Error ? cause.message : quoted(text)}`);
  }
  if (!isRecord(answer) || typeof answer['status'] !== 'string')
    return failed('no answer of Prometheus: status is missing');
  if (answer['status'] !== 'success')
    return failed(`${plain(answer['errorType'], 'error')}: ${plain(answer['error'], 'no message')}`);
  const data = answer['data'];
  if (!isRecord(data)) return failed('no answer of Prometheus: data is missing');
  for (const warning of Array.isArray(answer['warnings']) ? answer['warnings'] : [])
    if (problems.length < limits.problems) problems.push(`Prometheus warns: ${plain(warning, 'unreadable')}`);

  let newest: number | undefined;
  const results: unknown[] = Array.isArray(data['result']) ? data['result'] : [];
  const series = data['resultType'] === 'scalar' || data['resultType'] === 'string' ? [{ value: results }] : results;
  if (series.length > limits.samplesPerPage)
    problems.push(`more than ${limits.samplesPerPage} series; the rest of the answer is not read`);
  for (const [index, entry] of series.slice(0, limits.samplesPerPage).entries()) {
    const pair = isRecord(entry) ? (entry['value'] ?? lastOf(entry['values'])) : undefined;
    const value = Array.isArray(pair) && typeof pair[1] === 'string' ? numberFrom(pair[1]) : undefined;
    if (!isRecord(entry) || !Array.isArray(pair) || value === undefined) {
      if (problems.length < limits.problems) problems.push(`series ${index} has no value`);
      continue;
    }
    if (typeof pair[0] === 'number') newest = newest === undefined ? pair[0] : Math.max(newest, pair[0]);
    const { name, labels } = labelsOf(entry['metric']);
    const known = samples.get(name);
    if (known === undefined) samples.set(name, [{ labels, value }]);
    else known.push({ labels, value });
  }
  const page = { ok: true, families: new Map(), samples, problems };
  return newest === undefined ? page : { ...page, atSeconds: newest };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Only what prints as itself: an object from outside may not even have a working `toString`. */
const plain = (value: unknown, otherwise: string): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : otherwise;

const lastOf = (values: unknown): unknown => (Array.isArray(values) ? values.at(-1) : undefined);

function labelsOf(metric: unknown): { name: string; labels: Labels } {
  const labels: Record<string, string> = Object.create(null);
  let name = nameless;
  for (const [label, value] of Object.entries(isRecord(metric) ? metric : {})) {
    if (label === '__name__') name = plain(value, nameless);
    else labels[label] = plain(value, '');
  }
  return { name, labels };
}
