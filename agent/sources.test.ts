import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { createLog, createManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { startContainerSource } from './sample-container.ts';
import { startDcgmSource } from './sample-dcgm.ts';
import { startEngineSource } from './sample-engine.ts';
import { startHostSource } from './sample-host.ts';
import type { Source } from './source.ts';

const log = createLog({ level: 'silent', name: 'test' });
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(
  pages: Record<string, () => { status?: number; text: string } | 'hang'>,
): Promise<{ port: number; server: Server; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const page = pages[request.url ?? '']?.() ?? { status: 404, text: 'no' };
    if (page !== 'hang') response.writeHead(page.status ?? 200).end(page.text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, asked };
}

function keep<Sample>(source: Source<Sample>): Source<Sample> {
  closing.push(() => source.stop());
  return source;
}

const vllm = (running: number, waiting: number, tokens: number) => ({
  text: `# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="m"} ${running}
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{model_name="m"} ${waiting}
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{model_name="m"} ${tokens}
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{model_name="m"} 0.25
`,
});

test('an engine is found by its page, wherever it lies, and its speed told from two readings', async () => {
  const clock = createManualClock();
  let tokens = 1_000;
  const { port } = await serve({ '/prometheus/metrics': () => vllm(3, 2, tokens) });
  const source = keep(startEngineSource({ host: '127.0.0.1', port, clock, log }));
  await eventually(() => source.latest(clock.monotonic()).kind === 'sample', 'the engine');
  expect(source.latest(clock.monotonic())).toEqual({
    kind: 'sample',
    ageMs: 0,
    sample: { name: 'vllm', waiting: 2, running: 3, kvCacheRatio: 0.25 },
  });
  tokens = 1_500;
  await eventually(() => {
    void clock.advance(seconds(1));
    const reading = source.latest(clock.monotonic());
    return reading.kind === 'sample' && (reading.sample.generatedTokensPerSecond ?? 0) > 0;
  }, 'the speed');
});

test.each([
  ['a server that is no engine', { '/metrics': () => ({ text: '# TYPE mine gauge\nmine 1\n' }) }, 'NotSupported'],
  ['a server without metrics', {}, 'NotSupported'],
  ['a server that is loading', { '/metrics': () => ({ status: 503, text: 'loading' }) }, 'Unreachable'],
])('%s says so', async (_name, pages, because) => {
  const clock = createManualClock();
  const { port } = await serve(pages);
  const source = keep(startEngineSource({ host: '127.0.0.1', port, clock, log }));
  await eventually(() => {
    const reading = source.latest(0);
    return reading.kind === 'absent' && reading.because === because;
  }, because);
});

test('a server without metrics is not asked each second', async () => {
  const clock = createManualClock();
  const { port, asked } = await serve({});
  const source = keep(startEngineSource({ host: '127.0.0.1', port, clock, log }));
  await eventually(() => source.latest(0).kind === 'absent' && asked.length >= 3, 'the first round');
  const before = asked.length;
  for (let second = 0; second < 10; second += 1) await clock.advance(seconds(1));
  expect(asked.length).toBe(before);
});

test('an engine that stops answering is told as such when its sample is too old', async () => {
  const clock = createManualClock();
  const { port, server } = await serve({ '/metrics': () => vllm(1, 0, 1) });
  const source = keep(startEngineSource({ host: '127.0.0.1', port, clock, log }));
  await eventually(() => source.latest(0).kind === 'sample', 'the engine');
  server.closeAllConnections();
  server.close();
  await eventually(() => {
    void clock.advance(seconds(1));
    return source.latest(clock.monotonic()).kind === 'absent';
  }, 'the loss');
  expect(source.latest(clock.monotonic())).toEqual({ kind: 'absent', because: 'Unreachable' });
});

const pod = { namespace: 'models', name: 'llama-0', uid: 'u' };
const dcgm = (name: string) => `# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",modelName="NVIDIA L4",namespace="models",pod="${name}",container="main"} 37
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-a",modelName="NVIDIA L4",namespace="models",pod="${name}",container="main"} 100
DCGM_FI_DEV_FB_FREE{gpu="0",UUID="GPU-a",modelName="NVIDIA L4",namespace="models",pod="${name}",container="main"} 900
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-b",modelName="NVIDIA L4",namespace="models",pod="other",container="main"} 99
`;

test("dcgm-exporter's page is filtered to this pod", async () => {
  const clock = createManualClock();
  const { port } = await serve({ '/metrics': () => ({ text: dcgm('llama-0') }) });
  const source = keep(startDcgmSource(new URL(`http://127.0.0.1:${port}/metrics`), pod, clock));
  await eventually(() => source.latest(0).kind === 'sample', 'the GPU');
  const mebibyte = 1024 * 1024;
  expect(source.latest(0)).toMatchObject({
    sample: {
      source: 'dcgm',
      utilizationPercent: 37,
      memoryUsedBytes: 100 * mebibyte,
      memoryTotalBytes: 1_000 * mebibyte,
      devices: [{ index: 0, uuid: 'GPU-a', model: 'NVIDIA L4' }],
    },
  });
});

test.each<[string, () => { readonly text: string; readonly status?: number } | 'hang', string]>([
  ['a page without this pod', () => ({ text: dcgm('neighbour') }), 'NotSupported'],
  ['a page that is none', () => ({ text: '<html>' }), 'Unreadable'],
  ['an exporter in trouble', () => ({ status: 500, text: '' }), 'Unreadable'],
  ['an exporter that hangs', () => 'hang', 'Unreachable'],
])('%s says so, and is heard again when that is over', async (_name, page, because) => {
  const clock = createManualClock();
  let answer = page;
  const { port } = await serve({ '/metrics': () => answer() });
  const source = keep(startDcgmSource(new URL(`http://127.0.0.1:${port}/metrics`), pod, clock));
  await eventually(() => {
    const reading = source.latest(0);
    return reading.kind === 'absent' && reading.because === because;
  }, because);
  answer = () => ({ text: dcgm('llama-0') });
  await eventually(() => {
    void clock.advance(milliseconds(1_000));
    return source.latest(clock.monotonic()).kind === 'sample';
  }, 'the GPU');
});

/** A /proc and a /sys/fs/cgroup with one other process in it, which listens on 127.0.0.1:8000. */
async function fakeProc(cgroup: string, files: Record<string, string>): Promise<{ proc: string; cgroups: string }> {
  const root = await mkdtemp(join(tmpdir(), 'kubeai-proc-'));
  closing.push(() => rm(root, { recursive: true }));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  await write(
    'proc/net/tcp',
    `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000000000000000 100 0 0 10 0
`,
  );
  await mkdir(join(root, 'proc/77/fd'), { recursive: true });
  await symlink('socket:[4242]', join(root, 'proc/77/fd/3'));
  await write('proc/77/cgroup', cgroup);
  await write('proc/77/stat', `77 (python (vllm) x) S ${'0 '.repeat(10)}1200 300 0 0`);
  await write('proc/77/statm', '1000 250 0 0 0 0 0');
  await write('proc/self/cgroup', '0::/agent\n');
  for (const [path, text] of Object.entries(files)) await write(`cgroup/${path}`, text);
  return { proc: join(root, 'proc'), cgroups: join(root, 'cgroup') };
}

test.each([
  [
    'cgroup v2',
    '0::/pod/main\n',
    {
      'pod/main/cpu.stat': 'usage_usec 5000000\nuser_usec 1\n',
      'pod/main/memory.current': '1000\n',
      'pod/main/memory.max': '4000\n',
      'pod/main/cpu.max': '200000 100000\n',
    },
    { memoryBytes: 1_000, memoryLimitBytes: 4_000, cpuLimitCores: 2 },
  ],
  [
    'cgroup v2 without limits',
    '0::/pod/main\n',
    {
      'pod/main/cpu.stat': 'usage_usec 5000000\n',
      'pod/main/memory.current': '1000\n',
      'pod/main/memory.max': 'max\n',
      'pod/main/cpu.max': 'max 100000\n',
    },
    { memoryBytes: 1_000 },
  ],
  [
    'cgroup v1',
    '4:memory:/pod/main\n3:cpu,cpuacct:/pod/main\n',
    {
      'cpuacct/pod/main/cpuacct.usage': '5000000000\n',
      'cpu/pod/main/cpu.cfs_quota_us': '-1\n',
      'cpu/pod/main/cpu.cfs_period_us': '100000\n',
      'memory/pod/main/memory.usage_in_bytes': '1000\n',
      'memory/pod/main/memory.limit_in_bytes': '9223372036854771712\n',
    },
    { memoryBytes: 1_000 },
  ],
  [
    "the agent's own cgroup: the process itself is measured",
    '0::/agent\n',
    { 'agent/memory.current': '999999\n' },
    { memoryBytes: 250 * 4_096 },
  ],
])('the model server is measured by %s', async (_name, cgroup, files, expected) => {
  const clock = createManualClock();
  const source = keep(
    startContainerSource({ host: '127.0.0.1', port: 8_000, clock, ...(await fakeProc(cgroup, files)) }),
  );
  await eventually(() => source.latest(clock.monotonic()).kind === 'sample', 'the first sample');
  expect(source.latest(clock.monotonic())).toEqual({ kind: 'sample', ageMs: 0, sample: expected });
  await eventually(() => {
    void clock.advance(seconds(1));
    const reading = source.latest(clock.monotonic());
    return reading.kind === 'sample' && reading.sample.cpuCores === 0;
  }, 'the CPU between two samples');
});

test('where the server cannot be seen nothing is said', async () => {
  const { proc, cgroups } = await fakeProc('0::/agent\n', { 'agent/memory.current': '1\n' });
  const source = keep(
    startContainerSource({ host: '127.0.0.1', port: 9_999, clock: createManualClock(), proc, cgroups }),
  );
  await eventually(() => {
    const reading = source.latest(0);
    return reading.kind === 'absent' && reading.because === 'NotSupported';
  }, 'the absence');
});

test('the host is measured', async () => {
  const clock = createManualClock();
  const source = keep(startHostSource(clock, log));
  await eventually(() => source.latest(0).kind === 'sample', 'the host');
  const reading = source.latest(0);
  expect(reading.kind === 'sample' && reading.sample.memoryTotalBytes).toBeGreaterThan(1e8);
});
