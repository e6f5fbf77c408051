// A report as a person reads it.
import { type Failure, failures } from './play-request.ts';
import type { Progress } from './replay.ts';
import type { LoadReport, Spread } from './report.ts';

export const progressLine = ({ elapsedMs, planned, sent, inFlight, succeeded, failed }: Progress): string =>
  `${(elapsedMs / 1_000).toFixed(0)} s: ${sent} of ${planned} sent, ${inFlight} open, ${succeeded} ok, ${failed} failed`;

/** A few lines of text without a newline at the end. */
export function summaryOf(report: LoadReport): string {
  const { requests, succeeded, stopped, failed, durationMs } = report;
  const spent = durationMs / 1_000;
  const kinds = (Object.keys(failures) as Failure[]).filter((kind) => failed[kind] > 0);
  const rate = (count: number) => (spent > 0 ? (count / spent).toFixed(1) : '0');
  return [
    `${requests} requests in ${spent.toFixed(1)} s: ${succeeded} ok${stopped > 0 ? `, ${stopped} stopped` : ''}`,
    ...kinds.map((kind) => `  ${failed[kind]} ${kind}: ${failures[kind]}`),
    `${report.promptTokens} prompt tokens, ${report.generatedTokens} generated (${rate(report.generatedTokens)}/s)`,
    '',
    ['ms'.padEnd(20), ...['p50', 'p90', 'p95', 'p99', 'max'].map((name) => name.padStart(9))].join(''),
    row('first token', report.timeToFirstTokenMs),
    row('between tokens', report.interTokenMs),
    row('whole answer', report.latencyMs),
    row('sent late by', report.lateMs),
  ].join('\n');
}

function row(name: string, spread: Spread | undefined): string {
  if (spread === undefined) return `${name.padEnd(20)}${'-'.padStart(9)}`;
  const { p50, p90, p95, p99, max } = spread;
  return name.padEnd(20) + [p50, p90, p95, p99, max].map((value) => value.toFixed(1).padStart(9)).join('');
}
