import { expect, test } from '@jest/globals';
import { type DcgmFilter, readDcgm, readDcgmiDmon } from './index.ts';

const node = `DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",modelName="NVIDIA A100",namespace="ml",pod="llm-0",container="vllm"} 91
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-b",modelName="NVIDIA A100",namespace="ml",pod="llm-1",container="vllm"} 12
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-a",namespace="ml",pod="llm-0",container="vllm"} 100
DCGM_FI_DEV_FB_FREE{gpu="0",UUID="GPU-a",namespace="ml",pod="llm-0",container="vllm"} 300
DCGM_FI_DEV_FB_RESERVED{gpu="0",UUID="GPU-a",namespace="ml",pod="llm-0",container="vllm"} 9
DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="2",UUID="GPU-c",GPU_I_ID="3",GPU_I_PROFILE="2g.20gb",namespace="ml",pod="mig-0"} 0.25
DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="2",UUID="GPU-c",GPU_I_ID="5",GPU_I_PROFILE="2g.20gb",namespace="ml",pod="mig-1"} 0.5
DCGM_FI_DEV_NVSWITCH_X{nvswitch="0"} 1
`;

test.each<[DcgmFilter, string[]]>([
  [{}, ['0', '1', '2/3', '2/5']],
  [{ namespace: 'ml', pod: 'llm-0' }, ['0']],
  [{ namespace: 'other', pod: 'llm-0' }, []],
  [{ pod: 'llm-0', container: 'sidecar' }, []],
  [{ uuids: ['GPU-b', 'GPU-x'] }, ['1']],
  [{ uuids: ['GPU-c'], migInstance: '5' }, ['2/5']],
])('the filter %j leaves %j', (filter, devices) => {
  const reading = readDcgm(node, filter);
  expect(reading.devices.map(({ device }) => device)).toEqual(devices);
  expect(reading.seen).toBe(4);
});

test('a device has its figures, with the driver’s share in the total', () => {
  expect(readDcgm(node, { pod: 'llm-0' }).devices[0]).toEqual({
    device: '0',
    gpu: '0',
    uuid: 'GPU-a',
    model: 'NVIDIA A100',
    owner: { namespace: 'ml', pod: 'llm-0', container: 'vllm' },
    vgpu: false,
    sharedBy: 1,
    throttledBy: [],
    utilizationPercent: 91,
    memoryUsedMiB: 100,
    memoryFreeMiB: 300,
    memoryReservedMiB: 9,
    memoryTotalMiB: 409,
  });
});

test.each([
  ['9223372036854775794', 'int64'],
  ['9.223372036854776e+18', 'int64 as a double'],
  ['2147483632', 'int32'],
  ['140737488355330', 'double'],
  ['NaN', 'not a number'],
  ['0', 'a card without the sensor'],
])('a memory temperature of %s (%s) is absent', (value) => {
  const page = `DCGM_FI_DEV_MEMORY_TEMP{gpu="0",UUID="GPU-a"} ${value}\nDCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a"} 0`;
  const [device] = readDcgm(page).devices;
  expect(device).not.toHaveProperty('memoryTemperatureCelsius');
  expect(device!.utilizationPercent).toBe(0);
});

test('a figure below zero is not known, but degrees may be', () => {
  const gpu = '{gpu="0",UUID="GPU-a"}';
  const page = `DCGM_FI_DEV_GPU_TEMP${gpu} -4\nDCGM_FI_DEV_GPU_UTIL${gpu} -1\nDCGM_FI_DEV_FB_USED${gpu} -5\n`;
  const [device] = readDcgm(page).devices;
  expect(device).toMatchObject({ temperatureCelsius: -4 });
  expect(device).not.toHaveProperty('utilizationPercent');
  expect(device).not.toHaveProperty('memoryUsedMiB');
});

test('after a scrape the owner stands in exported_pod, and the exporter owns nothing', () => {
  const scraped = 'gpu="0",UUID="GPU-a",job="dcgm",namespace="mon",pod="dcgm-exporter-x",container="exporter"';
  const owned = `DCGM_FI_DEV_GPU_UTIL{${scraped},exported_namespace="ml",exported_pod="llm-0",exported_container="c"} 5`;
  expect(readDcgm(owned, { namespace: 'ml', pod: 'llm-0' }).devices[0]!.owner).toEqual({
    namespace: 'ml',
    pod: 'llm-0',
    container: 'c',
  });
  expect(readDcgm(owned, { namespace: 'mon', pod: 'dcgm-exporter-x' }).devices).toEqual([]);
  expect(readDcgm(`DCGM_FI_DEV_GPU_UTIL{${scraped}} 5`).devices[0]).not.toHaveProperty('owner');
});

test('the names of dcgm-exporter 1.x are read like those of today', () => {
  const labels = 'gpu="0",uuid="GPU-a",container_name="c",pod_name="llm-0",pod_namespace="ml"';
  const page = `dcgm_gpu_utilization{${labels}} 44\ndcgm_gpu_temp{${labels}} 55\ndcgm_fb_used{${labels}} 9
dcgm_memory_clock{${labels}} 877\ndcgm_fi_prof_gr_engine_active{${labels}} 0.5\ndcgm_exporter_up 1\n`;
  const { devices, seen } = readDcgm(page, { namespace: 'ml', pod: 'llm-0', container: 'c' });
  expect(seen).toBe(1);
  expect(devices).toMatchObject([
    { uuid: 'GPU-a', utilizationPercent: 44, temperatureCelsius: 55, memoryUsedMiB: 9, memoryClockMHz: 877 },
  ]);
  expect(devices[0]!.engineActiveRatio).toBe(0.5);
});

test.each([
  ['GRID V100D-8C', true],
  ['NVIDIA A16-2Q', true],
  ['GRID K520', false],
  ['NVIDIA A100-SXM4-80GB', false],
])('whether %s is a vGPU: %s', (model, vgpu) => {
  expect(readDcgm(`DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",modelName="${model}"} 1`).devices[0]!.vgpu).toBe(vgpu);
});

test.each(['Hostname', 'hostname'])('the node stands in %s', (label) => {
  expect(readDcgm(`DCGM_FI_DEV_GPU_UTIL{gpu="0",${label}="node-1"} 1`).devices[0]!.hostname).toBe('node-1');
});

test('a time-sliced GPU is found for each pod, and marked', () => {
  const page = ['a', 'b']
    .map((pod) => `DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",namespace="ml",pod="${pod}"} 50`)
    .join('\n');
  expect(readDcgm(page, { pod: 'b' }).devices).toMatchObject([
    { sharedBy: 2, owner: { pod: 'b' }, utilizationPercent: 50 },
  ]);
});

test('throttling, XID and vGPU are marked', () => {
  const page = `DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{gpu="0",UUID="GPU-44d2411e-1604-478f-aa96-5a3c00000000"} 68
DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-44d2411e-1604-478f-aa96-5a3c00000000"} 79`;
  expect(readDcgm(page).devices[0]).toMatchObject({
    throttledBy: ['powerCap', 'hardwareThermal'],
    lastXid: 79,
    vgpu: true,
  });
});

test('a collector that writes names and labels small hides no instance', () => {
  const page = [2, 5].map(
    (id) =>
      `dcgm_fi_prof_gr_engine_active{gpu="0",uuid="gpu-a",gpu_i_id="${id}",gpu_i_profile="1g.9gb",modelname="x"} 0.${id}`,
  );
  expect(readDcgm(page.join('\n')).devices).toMatchObject([
    { device: '0/2', migProfile: '1g.9gb', model: 'x', engineActiveRatio: 0.2 },
    { device: '0/5', migProfile: '1g.9gb', model: 'x', engineActiveRatio: 0.5 },
  ]);
});

test('a page without DCGM series says so', () => {
  expect(readDcgm('up 1')).toEqual({ devices: [], seen: 0, problems: ['no DCGM series stands on the page'] });
});

test('dcgmi dmon gives rows, and N/A is not zero', () => {
  const table = `#Entity   GPUTL  POWER    GRACT
ID               W
GPU 0     N/A    N/A      N/A
GPU 0     37     61.5     0.125
# somebody says what comes now
GPU-I 3   N/A    N/A      0.5
nonsense
`;
  expect(readDcgmiDmon(table)).toEqual({
    columns: ['GPUTL', 'POWER', 'GRACT'],
    rows: [
      { entity: 'GPU 0', values: [undefined, undefined, undefined] },
      { entity: 'GPU 0', values: [37, 61.5, 0.125] },
      { entity: 'GPU-I 3', values: [undefined, undefined, 0.5] },
    ],
    problems: ['no row of the table: "nonsense"'],
  });
});

test('a share of more than the whole is a problem and no figure', () => {
  const gpu = '{gpu="0",UUID="GPU-a"}';
  const page = `DCGM_FI_DEV_GPU_UTIL${gpu} 101\nDCGM_FI_PROF_SM_ACTIVE${gpu} 55.5\nDCGM_FI_PROF_DRAM_ACTIVE${gpu} 1.02\nDCGM_FI_DEV_FB_USED${gpu} -1`;
  const { devices, problems } = readDcgm(page);
  expect(devices[0]).toMatchObject({ dramActiveRatio: 1.02 });
  for (const field of ['utilizationPercent', 'smActiveRatio', 'memoryUsedMiB'])
    expect(devices[0]).not.toHaveProperty(field);
  expect(problems).toEqual([
    '101 is no value of DCGM_FI_DEV_GPU_UTIL',
    '55.5 is no value of DCGM_FI_PROF_SM_ACTIVE',
    '-1 is no value of DCGM_FI_DEV_FB_USED',
  ]);
  const table = readDcgmiDmon('#   Entity  GRACT  GPUTL  POWER\nID\nGPU 0  0.5  250  400.5\nGPU 1  7  99  -3\n');
  expect(table.rows.map(({ values }) => values)).toEqual([
    [0.5, undefined, 400.5],
    [undefined, 99, undefined],
  ]);
  expect(table.problems).toHaveLength(3);
});
