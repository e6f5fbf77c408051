// The agent: stands beside one model server, passes its traffic on, measures it, and says once a second what it saw.
import { createClock, createHealth, createLog, createLogLines, onShutdown, serveHttp } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import { adminPages } from './admin.ts';
import { type GpuChoice, parseConfig } from './config.ts';
import { createDrain } from './drain.ts';
import type { Command } from './find-command.ts';
import { createGate } from './gate.ts';
import { createJumpWatch } from './jump-watch.ts';
import { maxQueued, queueDeadline, reportInterval } from './limits.ts';
import { startPush } from './push.ts';
import { createReportWriter } from './report-writer.ts';
import { startContainerSource } from './sample-container.ts';
import { startDcgmSource } from './sample-dcgm.ts';
import { startDcgmiSource } from './sample-dcgmi.ts';
import { startEngineSource } from './sample-engine.ts';
import { startHostSource } from './sample-host.ts';
import { firstSource, startSmiSource } from './sample-smi.ts';
import { absentSource } from './source.ts';
import { startSplice } from './splice.ts';
import { beginThrift } from './thrift.ts';
import { createTrafficBook } from './traffic.ts';

const thrift = beginThrift();
const parsed = parseConfig(process.env);
if (!parsed.ok) {
  for (const { field, message } of parsed.problems) process.stderr.write(`kubeai-agent: ${field} ${message}\n`);
  process.exit(2);
}
const config = parsed.value;
/** What cannot be started is said in one line. */
const started = <Part>(starting: Promise<Part>): Promise<Part> =>
  starting.catch((cause: Error) => {
    process.stderr.write(`kubeai-agent: ${cause.message}\n`);
    process.exit(1);
  });
const clock = createClock();
const lines = createLogLines(1);
const log = createLog({ level: config.logLevel, name: 'kubeai-agent', destination: lines });
const server = { host: config.podIp, port: config.upstreamPort };

const jump = createJumpWatch(clock, () => report(drain.draining));
const book = createTrafficBook(clock.monotonic(), jump.began);
const gate =
  config.concurrencyLimit > 0
    ? createGate({ limit: config.concurrencyLimit, maxQueued, deadline: queueDeadline }, clock)
    : undefined;
const splice =
  config.reach === 'none'
    ? undefined
    : await started(
        startSplice({
          listen: { host: config.podIp, port: config.listenPort },
          upstream: server,
          book,
          clock,
          log,
          gate,
        }),
      );

const commandOf = (name: string): Command => ({ name, searchPath: config.searchPath });
const takesGpu = (choice: GpuChoice): boolean => config.gpuSource === 'auto' || config.gpuSource === choice;
const gpuSources = () => [
  ...(config.dcgmUrl !== undefined && takesGpu('dcgm') ? [startDcgmSource(config.dcgmUrl, config.pod, clock)] : []),
  ...(takesGpu('nvidia-smi') ? [startSmiSource(commandOf(config.smiCommand), clock, log)] : []),
  // Only where it is asked for: dcgmi without a host engine ends and would be started again and again.
  ...(config.gpuSource === 'dcgmi' ? [startDcgmiSource(commandOf(config.dcgmiCommand), clock, log)] : []),
];
const sources = {
  engine: config.engine === 'none' ? absentSource('NotAsked') : startEngineSource({ ...server, clock, log }),
  gpu: config.gpuSource === 'none' ? absentSource('NotAsked') : firstSource(gpuSources()),
  container: startContainerSource({ ...server, clock }),
  host: startHostSource(clock, log),
};

const writer = createReportWriter({
  pod: config.pod,
  // Tells this start from others of the same pod; a UUID would load all of node:crypto.
  run: `${clock.now().toString(36)}-${Math.random().toString(36).slice(2)}`,
  book,
  gate,
  sources,
  observes: splice !== undefined,
  start: clock.monotonic(),
});
const push = config.controller === undefined ? undefined : startPush({ ...config.controller, clock, log });
const report = (leaving: boolean): void => {
  splice?.catchUp();
  const now = clock.monotonic();
  const written = writer.write(now, { leaving, jumped: jump.seen });
  jump.told(written.traffic, written.windowMs, now);
  if (written.traffic.started > 0 || written.traffic.unobservedConnections > 0) thrift.end();
  push?.send(written, now);
};
const reporting = clock.every(reportInterval, () => report(drain.draining));

const drain = createDrain(splice, book, clock);
const health = createHealth({});
const admin = await started(
  serveHttp(
    adminPages({
      health,
      exposed: {
        pod: config.pod,
        totals: () => {
          splice?.catchUp();
          return book.totals();
        },
        report: writer.latest,
        push: () => push?.state(),
        refused: () => splice?.refused ?? 0,
        inFlight: () => book.inFlight,
        waitingFirstByte: () => book.waitingFirstByte,
        queued: () => gate?.waiting ?? 0,
        lostLogLines: () => lines.lost,
      },
      drain,
      drainDeadline: config.drain,
      report: writer.latest,
      push: () => push?.state(),
      log,
    }),
    { host: config.podIp, port: config.adminPort, maxConnections: 64 },
  ),
);
log.info('Started', { listen: splice && `${splice.host}:${splice.port}`, server, admin: admin.url });

// From here on requests pass: a fault in what measures them must not end them.
process.on('uncaughtException', (cause) => log.error('A fault was survived; traffic goes on', { cause }));

onShutdown(process, { deadline: seconds(config.drain / 1_000 + 10), log }, async () => {
  health.retire();
  const end = await drain.wait(config.drain);
  log.info('Drained', { end });
  reporting.stop();
  report(true);
  for (const source of Object.values(sources)) source.stop();
  await push?.stop(seconds(2));
  await splice?.close();
  await admin.drain(seconds(1));
});
