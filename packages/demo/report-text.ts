// The report of a demonstration as a table for people.
import { inSeconds, milliseconds } from '@kubeai/units';
import type { DemoReport, Quantiles } from './summary.ts';

export function reportText(report: DemoReport): string {
  const promised = [
    report.target.timeToFirstTokenMs === undefined ? [] : [`first token ≤ ${report.target.timeToFirstTokenMs} ms`],
    report.target.latencyMs === undefined ? [] : [`latency ≤ ${report.target.latencyMs} ms`],
  ].flat();
  const rows: [string, string][] = [
    ['requests', `${report.requests}`],
    ['failed', `${report.failed}`],
    ['within target', `${(report.withinTarget * 100).toFixed(1)} % (${promised.join(', ') || 'no latency promised'})`],
    ['first token', quantilesText(report.ttftMs)],
    ['latency', quantilesText(report.latencyMs)],
    ['replicas', `at most ${report.maxReplicas}, ${report.finalReplicas} at the end`],
    ['replica-seconds', `${report.replicaSeconds}`],
  ];
  const events = report.scaleEvents.map(
    ({ atMs, from, to, reason }) =>
      `  ${inSeconds(milliseconds(atMs)).toFixed(1).padStart(7)} s  ${from} → ${to}  ${reason}`,
  );
  return [
    ...rows.map(([name, value]) => `${name.padEnd(16)} ${value}`),
    'scale events',
    ...(events.length === 0 ? ['  none'] : events),
  ].join('\n');
}

function quantilesText({ p50, p95, p99 }: Quantiles): string {
  const text = (value: number | null) => (value === null ? '-' : `${Math.round(value)} ms`);
  return `p50 ${text(p50)}, p95 ${text(p95)}, p99 ${text(p99)}`;
}
