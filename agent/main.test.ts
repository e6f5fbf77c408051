// The agent as it is shipped: one bundled file, started as a process.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { createServer, get, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { bundleProcess } from '../docker/bundle.ts';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import {
  type Controller,
  createIdentity,
  serverName,
  startController,
  writeCredentials,
} from './testing/controller.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..');
const podIp = '127.0.0.1';
/** An address of this process alone, as a pod has one: ports can be named on it before anybody listens. */
const ownAddress = `127.80.${(process.pid >> 8) & 255}.${process.pid & 255}`;
let directory: string;
let bundle: string;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubeai-agent-'));
  bundle = await bundleProcess(repository, 'agent', directory);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => rm(directory, { recursive: true }));

interface Running {
  readonly process: ChildProcess;
  readonly admin: string;
  readonly listen: string;
  exit(): Promise<number | null>;
  log(): string;
}

const identityOf = (upstream: number) => ({
  KUBEAI_POD_NAME: 'llama-0',
  KUBEAI_POD_NAMESPACE: 'models',
  KUBEAI_POD_UID: 'uid',
  KUBEAI_POD_IP: podIp,
  KUBEAI_LISTEN_PORT: '0',
  KUBEAI_ADMIN_PORT: '0',
  KUBEAI_UPSTREAM_PORT: String(upstream),
  KUBEAI_GPU_SOURCE: 'none',
  KUBEAI_DRAIN_SECONDS: '10',
});

async function run(environment: Record<string, string>): Promise<Running> {
  const child = spawn(process.execPath, [bundle], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  closing.push(() => child.kill('SIGKILL'));
  await eventually(() => log.includes('"msg":"Started"') || child.exitCode !== null, 'the start');
  const started = log.split('\n').find((line) => line.includes('"Started"'));
  const { admin, listen } =
    started === undefined ? { admin: '', listen: '' } : (JSON.parse(started) as { admin: string; listen: string });
  return { process: child, admin, listen: `http://${listen}`, exit: () => exited, log: () => log };
}

async function modelServer(host = podIp): Promise<{ port: number; server: Server; finish: () => void }> {
  let finish: () => void = () => undefined;
  const server = createServer((request, response) => {
    if (request.url === '/stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
      finish = () => response.end('data: [DONE]\n\n');
    } else
      response.setHeader('content-type', 'application/json').end('{"usage":{"prompt_tokens":3,"completion_tokens":5}}');
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, finish: () => finish() };
}

const page = (url: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    }).on('error', reject);
  });

test('says everything that is wrong with its environment and ends with 2', async () => {
  const { exit, log } = await run({
    KUBEAI_POD_IP: podIp,
    KUBEAI_UPSTREAM_PORT: 'http',
    KUBEAI_CONTROLLER_URL: 'http://a',
    KUBEAI_REACH: 'magic',
  });
  expect(await exit()).toBe(2);
  expect(log().trim().split('\n').sort()).toEqual([
    'kubeai-agent: KUBEAI_CONTROLLER_URL must be a URL that begins with https://, not "http://a"',
    'kubeai-agent: KUBEAI_POD_NAME is required but not set',
    'kubeai-agent: KUBEAI_POD_NAMESPACE is required but not set',
    'kubeai-agent: KUBEAI_POD_UID is required but not set',
    'kubeai-agent: KUBEAI_REACH must be one of redirect, port, none, auto, not "magic"',
    'kubeai-agent: KUBEAI_UPSTREAM_PORT must be a whole number from 1 to 65535, not "http"',
  ]);
});

test('an address that is taken is said in one line', async () => {
  const { port } = await modelServer();
  const { exit, log } = await run({ ...identityOf(1), KUBEAI_LISTEN_PORT: String(port) });
  expect(await exit()).toBe(1);
  expect(log()).toBe(
    `kubeai-agent: 127.0.0.1:${port} is already taken: end the process that listens there, or choose another port\n`,
  );
});

test('passes requests, shows what it saw, reports it, drains and leaves without cutting a stream', async () => {
  const identity = await createIdentity();
  const controller: Controller = await startController(identity);
  closing.push(() => controller.close());
  const files = await writeCredentials(directory, 'a-token', identity.cert);
  const { port, finish } = await modelServer();
  const agent = await run({
    ...identityOf(port),
    KUBEAI_CONTROLLER_URL: controller.url.href,
    KUBEAI_CONTROLLER_SERVER_NAME: serverName,
    KUBEAI_TOKEN_FILE: files.tokenFile,
    KUBEAI_CA_FILE: files.caFile,
  });

  expect(await page(`${agent.listen}/v1/completions`)).toMatchObject({ status: 200 });
  expect(await page(`${agent.admin}/healthz`)).toEqual({ status: 200, text: 'ok\n' });
  expect(await page(`${agent.admin}/readyz`)).toEqual({ status: 200, text: 'ok\n' });
  const metrics = (await page(`${agent.admin}/metrics`)).text;
  expect(metrics).toContain('kubeai_requests_total{route="completions",status="2xx"} 1\n');
  expect(metrics).toContain('kubeai_request_duration_seconds_bucket{route="completions",le="+Inf"} 1\n');
  expect(metrics).toContain('kubeai_generated_tokens_total 5\n');
  const reported = () =>
    controller.received.reduce((sum, { report }) => sum + (report.traffic.finished['2xx'] ?? 0), 0);
  await eventually(() => reported() === 1, 'the report');
  expect(controller.problems).toEqual([]);
  expect(JSON.parse((await page(`${agent.admin}/debug/report`)).text)).toMatchObject({
    report: { pod: { name: 'llama-0' } },
    push: { connected: true },
  });

  // A crowd that comes at once is no matter of the next second.
  await Promise.all(Array.from({ length: 12 }, () => page(`${agent.listen}/v1/completions`)));
  await eventually(() => controller.received.some(({ report }) => report.jumped === true), 'the jump in a report');

  // A stream is open when the pod is told to go.
  const stream = page(`${agent.listen}/stream`);
  await eventually(
    () => controller.received.some(({ report }) => report.traffic.inFlight === 1),
    'the stream in a report',
  );
  const drained = page(`${agent.admin}/drain`);
  agent.process.kill('SIGTERM');
  await eventually(() => agent.log().includes('Began shutting down'), 'the signal');
  expect((await page(`${agent.admin}/readyz`)).status).toBe(503);
  // New connections are still served, because endpoints take a while to move.
  expect((await page(`${agent.listen}/v1/completions`)).status).toBe(200);
  finish();
  expect((await stream).text).toContain('[DONE]');
  expect(await drained).toEqual({ status: 200, text: '{"drained":"quiet"}\n' });
  expect(await agent.exit()).toBe(0);
  const last = controller.received.at(-1)!.report;
  expect(last).toMatchObject({ leaving: true, traffic: { inFlight: 0 } });
});

/** A model server that is a process of its own, so that it can be killed. */
async function modelProcess(port: number): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const program = `const { createServer } = require('node:http');
    const server = createServer((request, response) => {
      if (request.url !== '/stream') return response.end('{}');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"delta":{"content":"a"}}]}\\n\\n');
    }).listen(${port}, '${podIp}', () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, port: Number(line.toString()) };
}

test('a model server that is killed amid a stream breaks that stream alone, is named, and serves again when it is back', async () => {
  const { child, port } = await modelProcess(0);
  const agent = await run(identityOf(port));
  let text = '';
  const stream = new Promise<string>((resolve) => {
    get(`${agent.listen}/stream`, { agent: false }, (response) => {
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('error', ({ message }) => resolve(message)).on('end', () => resolve('ended'));
    });
  });
  await eventually(() => text.includes('"a"'), 'the first token');
  child.kill('SIGKILL');
  // As without an agent: the stream breaks off, it does not end.
  expect(await stream).toBe('aborted');
  expect(await page(`${agent.listen}/v1/completions`)).toMatchObject({
    status: 503,
    text: expect.stringContaining('UpstreamRefused'),
  });
  expect(await page(`${agent.admin}/healthz`)).toMatchObject({ status: 200 });
  const metrics = (await page(`${agent.admin}/metrics`)).text;
  expect(metrics).toMatch(/^kubeai_requests_failed_total\{.*\} 1$/m);
  expect(metrics).toMatch(/^kubeai_connections_refused_total [1-9]/m);
  await modelProcess(port);
  expect(await page(`${agent.listen}/v1/completions`)).toMatchObject({ status: 200, text: '{}' });
});

test('thousands of idle connections cost some memory each, and others are served', async () => {
  const { port } = await modelServer();
  const agent = await run(identityOf(port));
  const residentKib = () =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${agent.process.pid}/status`, 'utf8'))![1]);
  // What the first request brings along is no matter of the idle ones.
  await page(`${agent.listen}/v1/completions`);
  const before = residentKib();
  const idle = 2_000;
  const { hostname, port: listening } = new URL(agent.listen);
  const sockets = Array.from({ length: idle }, () => connect(Number(listening), hostname));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.on('error', () => undefined);
  const open = new RegExp(`^kubeai_connections_open ${idle}$`, 'm');
  await eventually(async () => open.test((await page(`${agent.admin}/metrics`)).text), 'all of them');
  expect(await page(`${agent.listen}/v1/completions`)).toMatchObject({ status: 200 });
  // Some 12 KiB each; a buffer for each direction would be ten times that.
  expect((residentKib() - before) / idle).toBeLessThan(40);
});

test('a full disk costs log lines, not requests', async () => {
  const { port } = await modelServer(ownAddress);
  const full = await open('/dev/full', 'w');
  closing.push(() => full.close());
  const ports = { KUBEAI_LISTEN_PORT: '15001', KUBEAI_ADMIN_PORT: '15020' };
  const environment = { ...identityOf(port), KUBEAI_POD_IP: ownAddress, ...ports };
  const child = spawn(process.execPath, [bundle], { env: environment, stdio: ['ignore', full.fd, 'inherit'] });
  closing.push(() => child.kill('SIGKILL'));
  const health = () =>
    page(`http://${ownAddress}:15020/healthz`).then(
      ({ status }) => status,
      () => 'not there yet',
    );
  await eventually(async () => (await health()) === 200, 'the start');
  expect(await page(`http://${ownAddress}:15001/v1/completions`)).toMatchObject({ status: 200 });
  expect((await page(`http://${ownAddress}:15020/metrics`)).text).toMatch(/^kubeai_log_lines_lost_total [1-9]/m);
  expect(child.exitCode).toBe(null);
});

test('a clock that is set an hour on and two hours back changes no number and no order', async () => {
  const identity = await createIdentity();
  const controller: Controller = await startController(identity);
  closing.push(() => controller.close());
  const files = await writeCredentials(directory, 'a-token', identity.cert);
  const { port } = await modelServer();
  // The time of day as a process sees it, set by signals; what spans are measured with goes on as it does on a real machine.
  const preload = `const now = Date.now; let set = 0; Date.now = () => now() + set;
process.on('SIGUSR2', () => { set = set > 0 ? -3600000 : 3600000; console.error('set by ' + set); });`;
  const agent = await run({
    ...identityOf(port),
    KUBEAI_CONTROLLER_URL: controller.url.href,
    KUBEAI_CONTROLLER_SERVER_NAME: serverName,
    KUBEAI_TOKEN_FILE: files.tokenFile,
    KUBEAI_CA_FILE: files.caFile,
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}`,
  });
  const reports = () => controller.received.map(({ report }) => report);
  const oneMore = async (): Promise<void> => {
    const before = reports().length;
    await page(`${agent.listen}/v1/completions`);
    await eventually(() => reports().length > before + 1, 'two reports more');
  };
  await oneMore();
  for (const milliseconds of [3_600_000, -3_600_000]) {
    agent.process.kill('SIGUSR2');
    await eventually(() => agent.log().includes(`set by ${milliseconds}`), 'the clock');
    await oneMore();
  }
  expect(controller.connections()).toBe(1);
  expect(reports().map(({ sequence }) => sequence)).toEqual(reports().map((_, at) => at));
  for (const { windowMs, ageMs, traffic } of reports()) {
    expect(windowMs).toBeLessThan(60_000);
    expect(ageMs).toBeLessThan(60_000);
    expect(traffic.latencyMs.sum).toBeLessThan(60_000);
    expect(traffic.concurrency).toBeLessThanOrEqual(1);
  }
  expect(reports().reduce((sum, { traffic }) => sum + (traffic.finished['2xx'] ?? 0), 0)).toBe(3);
});

test('what is shipped carries no client of Kubernetes, no framework and no second HTTP client', async () => {
  const { metafile, outputFiles } = await build({
    entryPoints: [join(repository, 'agent/main.ts')],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'error',
  });
  const [output] = Object.values(metafile.outputs);
  const packages = new Set(
    Object.entries(output!.inputs).flatMap(([path, { bytesInOutput }]) => {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
      return name === undefined || bytesInOutput === 0 ? [] : [name];
    }),
  );
  expect([...packages].filter((name) => !carried.has(name))).toEqual([]);
  expect(outputFiles[0]!.contents.length).toBeLessThan(1_000_000);
});

/** The log and what it is made of; what renders /metrics; what reads the host, which is loaded late. */
const carried = new Set([
  'pino',
  '@pinojs/redact',
  'atomic-sleep',
  'on-exit-leak-free',
  'pino-abstract-transport',
  'pino-std-serializers',
  'process-warning',
  'quick-format-unescaped',
  'real-require',
  'safe-stable-stringify',
  'sonic-boom',
  'split2',
  'thread-stream',
  'prom-client',
  'systeminformation',
]);
