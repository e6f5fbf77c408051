// Why a policy wants the size it wants, in lines that people read. Everything comes from the status that the controller
// wrote; nothing is decided here again.
import { type MissingCause, signalText } from '@kubeai/decision';
import { type KnownMetricName, knownMetrics, type MetricName, type PolicyStatus } from '@kubeai/policy';
import type { Instant } from '@kubeai/units';

/** What the controller puts into `lastDecision` beyond what the schema promises. */
interface Told {
  readonly words?: readonly string[];
  readonly ledger?: Readonly<Record<string, number>>;
}
type Signals = NonNullable<PolicyStatus['signals']>;

export function explanationOf(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  status: PolicyStatus,
  now: Instant,
): string {
  const { lastDecision: last, signals = [], decisions = [], conditions = [] } = status;
  const title = `${namespace}/${name}`;
  const told = conditions.map(
    ({ type, status: state, reason, message }) => `${type} ${state}, ${reason}${message === '' ? '' : `: ${message}`}`,
  );
  if (last === undefined)
    return [
      `${title}: nothing has been decided`,
      ...indented(told.length === 0 ? ['no controller has looked at it yet'] : told),
    ].join('\n');
  const { words = [], ledger = {} } = last as Told;
  const replicas = Object.entries(ledger).map(([state, count]) => `${count} ${state}`);
  return [
    `${title}: ${last.message}`,
    ...indented([`${last.reason}, ${agoOf(last.at, now)}`]),
    ...section('signals', signals.map(signalLine)),
    ...section('steps', words),
    ...section('replicas', replicas.length === 0 ? ['none'] : [replicas.join(', ')]),
    ...section(
      'last changes',
      decisions.map(({ at, message, reason }) => `${agoOf(at, now)}: ${message} [${reason}]`),
    ),
    ...section('conditions', told),
  ].join('\n');
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
const section = (name: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', name, ...indented(lines)];

function signalLine(signal: Signals[number]): string {
  const { state, value, target = 0, ageMs, source, cause } = signal;
  const name = signal.name as MetricName;
  const shape = name in knownMetrics ? knownMetrics[name as KnownMetricName].shape : 'value';
  const text = signalText({
    name,
    shape,
    state,
    target,
    ...(value === undefined ? {} : { value }),
    ...(cause === undefined ? {} : { cause: cause as MissingCause }),
  });
  const origin = [source, ageMs === undefined ? undefined : `${(ageMs / 1_000).toFixed(1)} s old`];
  const known = origin.filter((each) => each !== undefined);
  return known.length === 0 || state === 'missing' ? text : `${text} (${known.join(', ')})`;
}

/** `40 s ago`, `3 min ago`, `5 h ago`, `2 days ago`. */
function agoOf(at: string | undefined, now: Instant): string {
  if (at === undefined) return 'at an unknown time';
  const ago = Math.max(0, Math.round((now - Date.parse(at)) / 1_000));
  if (ago < 120) return `${ago} s ago`;
  if (ago < 7_200) return `${Math.round(ago / 60)} min ago`;
  if (ago < 172_800) return `${Math.round(ago / 3_600)} h ago`;
  return `${Math.round(ago / 86_400)} days ago`;
}
