// Serves a model that is not there, for people without a GPU and for tests. See README.md.
import { createClock, createLog, exitWith, onShutdown, readCommandLine, serveHttp } from '@kubeai/daemon';
import { milliseconds } from '@kubeai/units';
import { drainGrace, lingerAfterTerm, maxConnections } from './limits.ts';
import { createModelServer } from './model-server.ts';
import { configOf, modelServerLine } from './options.ts';

const options = readCommandLine(modelServerLine, process);
const config = configOf(options);
if (!config.ok) exitWith(process, modelServerLine.name, config.problems);

const clock = createClock();
const log = createLog({ level: options.logLevel, name: modelServerLine.name });
const { handle } = createModelServer(config.value, clock, () => {
  log.error('Crashed, as /admin/fault asked');
  process.exit(1);
});
const listener = await serveHttp(handle, { host: options.host, port: options.port, maxConnections }).catch(
  (cause: Error) => exitWith(process, modelServerLine.name, [{ field: '--port', message: cause.message }]),
);
log.info('Listening', { url: listener.url, model: config.value.model, startupMs: config.value.startup });

const deadline = milliseconds(lingerAfterTerm + options.drainSeconds + drainGrace);
onShutdown(process, { deadline, log }, async () => {
  await clock.sleep(lingerAfterTerm);
  await listener.drain(options.drainSeconds);
});
