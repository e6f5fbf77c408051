// Replays a trace from the command line. See README.md. Ctrl-C stops the replay and reports what there is.
import { appendFile, writeFile } from 'node:fs/promises';
import { exitWith, onOutputLost, readCommandLine } from '@kubeai/daemon';
import { loadLine } from './options.ts';
import { readTrace } from './read-trace.ts';
import { type Progress, replay } from './replay.ts';
import { progressLine, summaryOf } from './summary.ts';

onOutputLost(process, loadLine.name);
const options = readCommandLine(loadLine, process);
const trace = await readTrace(options.trace);
if (!trace.ok) exitWith(process, loadLine.name, trace.problems);

const cannotWrite = ({ message }: Error) =>
  exitWith(process, loadLine.name, [{ field: '--json', message: `cannot be written: ${message}` }]);
// Told before a replay of hours, not after it.
if (options.json !== undefined) await appendFile(options.json, '').catch(cannotWrite);

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

/** On a terminal one line that changes, elsewhere a line every ten seconds. */
let ticks = 0;
function onProgress(progress: Progress): void {
  ticks += 1;
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${progressLine(progress)}`);
  else if (ticks % 10 === 0) process.stderr.write(`${progressLine(progress)}\n`);
}

const report = await replay(trace.value, { ...options, signal: stop.signal, onProgress });
if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
process.stdout.write(`${summaryOf(report)}\n`);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report)}\n`).catch(cannotWrite);
process.exitCode = stop.signal.aborted ? 130 : report.succeeded === 0 ? 1 : 0;
