// `npm run demo`: see README.md. Everything it starts is gone when it ends, however it ends.
import { access, constants, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClock, createLog, exitWith, onOutputLost, readCommandLine } from '@kubeai/daemon';
import { findBuilder, obstacle, programPlaces } from '../../test/cluster/index.ts';
import { type ClusterProcess, startClusterProcess } from './cluster-process.ts';
import { readInputs } from './inputs.ts';
import { demoLine } from './options.ts';
import { openPage } from './page.ts';
import { reportText } from './report-text.ts';
import { createScreen } from './screen.ts';
import { shortcomings } from './summary.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const options = readCommandLine(demoLine, process);
const traceFile = options.trace ?? join(repository, 'examples/traces/sample-chat.csv');
const policyFile = options.policy ?? join(repository, 'examples/quickstart/policy.yaml');
const read = await readInputs(traceFile, policyFile);
const inputs = read.ok ? read.value : exitWith(process, demoLine.name, read.problems);
if (options.json !== undefined) await access(dirname(resolve(options.json)), constants.W_OK).catch(jsonProblem);
if (options.cluster === 'real') await refuseWithoutMachine();
const page = options.headless ? undefined : await openPage(options.port).catch(portProblem);

const clock = createClock();
const screen = createScreen(process.stdout, process.stdout.isTTY === true && !options.headless);
const stop = new AbortController();
let cluster: ClusterProcess | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    screen.say(stop.signal.aborted ? 'Still stopping' : 'Stopping everything');
    stop.abort();
  });
}
// Nobody looks any more: as after Ctrl-C, nothing may be left.
onOutputLost(process, demoLine.name, () => stop.abort());

const directory = await mkdtemp(join(tmpdir(), 'kubeai-demo-'));
// The clock's timers keep no process alive, and a cluster that has ended early leaves nothing else that would.
setInterval(() => undefined, 60_000);
process.exitCode = await run();
process.exit();

async function run(): Promise<number> {
  let keepLogs = false;
  try {
    if (inputs.retargeted) {
      screen.say(`The policy is aimed at the demonstration's own Deployment instead of its targetRef`);
    }
    // Not before: the Kubernetes client takes a second to load, and wrong input should be told at once.
    const { demonstrate } = await import('./demonstration.ts');
    const kind = options.cluster;
    screen.say(`Starting ${kind === 'local' ? 'the local cluster' : 'a real Kubernetes on this machine'}`);
    const onStep = (words: string) => screen.say(`  ${words}`);
    cluster = await startClusterProcess({ kind, repository, directory, clock, signal: stop.signal, onStep });
    const log = createLog({ level: 'warn', name: demoLine.name, destination: 2 });
    const report = await Promise.race([
      demonstrate(cluster, {
        schedule: options,
        repository,
        inputs,
        page,
        screen,
        clock,
        log,
        signal: stop.signal,
      }),
      cluster.ended.then((words) => {
        throw new Error(`the ${kind} cluster ended early: ${words}`);
      }),
    ]);
    screen.say(`\n${reportText(report)}`);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    const missing = shortcomings(report);
    for (const sentence of missing) screen.say(`demo: ${sentence}`);
    keepLogs = missing.length > 0;
    return missing.length === 0 ? 0 : 1;
  } catch (cause) {
    if (stop.signal.aborted) return 130;
    keepLogs = true;
    screen.say(`demo: ${(cause as Error).message}`);
    return 1;
  } finally {
    page?.close();
    // The cluster takes its pods' files with it.
    if (keepLogs && cluster !== undefined) await keepPodLogs(cluster.pods, directory);
    await cluster?.stop();
    if (keepLogs) screen.say(`Logs are in ${directory}`);
    else await rm(directory, { recursive: true, force: true });
  }
}

/** Copies the containers' logs to where they outlive the cluster. */
async function keepPodLogs(pods: string, to: string): Promise<void> {
  for (const entry of await readdir(pods).catch(() => [])) {
    // The local cluster has a directory for each pod, with other files beside the logs; the real one has only logs.
    const logs = options.cluster === 'local' ? join(pods, entry, 'logs') : join(pods, entry);
    await cp(logs, join(to, 'pod-logs', entry), { recursive: true }).catch(() => undefined);
  }
}

async function refuseWithoutMachine(): Promise<void> {
  const hindrance = await obstacle(programPlaces(process.env), process.getuid?.() ?? -1, await findBuilder());
  if (hindrance === undefined) return;
  exitWith(process, demoLine.name, [{ field: '--cluster', message: `real is not for this machine: ${hindrance}` }]);
}

function jsonProblem(cause: NodeJS.ErrnoException): never {
  return exitWith(process, demoLine.name, [
    { field: '--json', message: `${options.json} cannot be written (${cause.code})` },
  ]);
}

function portProblem(cause: NodeJS.ErrnoException): never {
  const taken = cause.code === 'EADDRINUSE';
  return exitWith(process, demoLine.name, [
    {
      field: '--port',
      message: taken ? `${options.port} is already taken; choose another or use --headless` : `${cause.message}`,
    },
  ]);
}
