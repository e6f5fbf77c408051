import { expect, test } from '@jest/globals';
import { type Gpu, type ParseOptions, parseNvidiaSmi } from './index.ts';
import { mig, table, text, xml } from './testing/samples.ts';

const reasons = (input: string, options?: ParseOptions) =>
  parseNvidiaSmi(input, options).problems.map(({ reason }) => reason);
const gpu = (input: string, options?: ParseOptions): Gpu => parseNvidiaSmi(input, options).gpus[0]!;

test.each([
  ['power_readings (driver 470)', '<power_readings><power_draw>50.00 W</power_draw></power_readings>', 50],
  ['gpu_power_readings (driver 535)', '<gpu_power_readings><power_draw>51.00 W</power_draw></gpu_power_readings>', 51],
  [
    'the average before the instant draw (driver 570)',
    '<gpu_power_readings><average_power_draw>52 W</average_power_draw><instant_power_draw>60 W</instant_power_draw></gpu_power_readings>',
    52,
  ],
  [
    'the instant draw where the average is N/A',
    '<gpu_power_readings><power_draw> N/A </power_draw><average_power_draw>N/A</average_power_draw><instant_power_draw> 53.5 W </instant_power_draw></gpu_power_readings>',
    53.5,
  ],
  [
    'not the draw of the module',
    '<module_power_readings><power_draw>700 W</power_draw></module_power_readings><gpu_power_readings><power_draw>N/A</power_draw></gpu_power_readings>',
    undefined,
  ],
])('the power draw is %s', (_where, inside, watts) => {
  expect(gpu(xml(inside)).powerDrawWatts).toBe(watts);
});

test('XML gives GPUs, MIG devices and processes, each with its own memory', () => {
  const reading = parseNvidiaSmi(xml(mig));
  expect(reading).toMatchObject({
    kind: 'xml',
    dtd: 'v12',
    driverVersion: '550.90.07',
    cudaVersion: '12.4',
    attachedGpus: 1,
    problems: [],
  });
  expect(reading.gpus[0]).toMatchObject({
    name: 'NVIDIA A & B',
    pciBusId: '00000000:31:00.0',
    memoryTotalMiB: 81920,
    memoryUsedMiB: 99,
    migMode: 'Enabled',
    migDevices: [
      {
        index: 0,
        gpuInstanceId: '7',
        computeInstanceId: '0',
        memoryTotalMiB: 9984,
        memoryUsedMiB: 12,
        multiprocessors: 14,
      },
    ],
  });
  expect(reading.gpus[0]).not.toHaveProperty('utilizationGpuPercent');
  expect(reading.processes).toMatchObject([
    { gpu: 0, pid: 41, type: 'C', name: 'python3 <x>', usedMemoryMiB: 10, gpuInstanceId: '7' },
  ]);
});

test('two documents in one log are told apart, and one that breaks off says so', () => {
  const one = xml('<utilization><gpu_util>5 %</gpu_util></utilization>');
  const both = parseNvidiaSmi(`${one}\n${one}`);
  expect(both).toMatchObject({ documents: 2, problems: [] });
  expect(both.gpus.map(({ document, index }) => [document, index])).toEqual([
    [1, 0],
    [2, 0],
  ]);
  const cut = parseNvidiaSmi(one.slice(0, one.indexOf('</gpu>')));
  expect(cut.gpus[0]!.utilizationGpuPercent).toBe(5);
  expect(cut.problems.map(({ reason }) => reason)).toEqual(['Truncated']);
});

test('XML that somebody cut out of one GPU is that GPU', () => {
  const { gpus, documents, problems } = parseNvidiaSmi(
    '</clocks_event_reasons><fb_memory_usage>\n<used>5 MiB</used></fb_memory_usage><utilization><gpu_util>7 %</gpu_util></utilization></gpu>',
  );
  expect(gpus).toMatchObject([{ index: 0, memoryUsedMiB: 5, utilizationGpuPercent: 7 }]);
  expect(documents).toBe(1);
  expect(problems.map(({ reason }) => reason)).toEqual(['Truncated']);
});

test('what cannot be is a problem and no value: a share above the whole, and memory that ran below zero', () => {
  const read = (rows: string) =>
    parseNvidiaSmi(`utilization.gpu [%], memory.used [MiB], memory.total [MiB], fan.speed [%]\n${rows}\n`);
  const wrong = read('101 %, 17592186044134 MiB, 100 MiB, 130 %');
  expect(wrong.gpus).toMatchObject([{ memoryTotalMiB: 100, fanPercent: 130 }]);
  for (const field of ['utilizationGpuPercent', 'memoryUsedMiB']) expect(wrong.gpus[0]).not.toHaveProperty(field);
  expect(wrong.problems.map(({ reason }) => reason)).toEqual(['UnreadableValue', 'UnreadableValue']);
  expect(read('100 %, 103 MiB, 100 MiB, 30 %')).toMatchObject({ gpus: [{ memoryUsedMiB: 103 }], problems: [] });
});

test.each([
  ['above a CSV', (csv: string, other: string) => other + csv],
  ['below a CSV', (csv: string, other: string) => csv + other],
])('a monitor or a table %s is not read, which is said', (_where, both) => {
  const csv = 'index, memory.used [MiB]\n0, 5 MiB\n';
  const processes = '# gpu        pid  type   command\n    0         71     C   train\n';
  const reading = parseNvidiaSmi(both(csv, processes));
  expect(reading).toMatchObject({ kind: 'query-gpu', gpus: [{ memoryUsedMiB: 5 }], processes: [] });
  expect(reading.problems.map(({ reason }) => reason)).toContain('OtherOutput');
  expect(reasons(csv + table)).toContain('OtherOutput');
  expect(reasons(xml('<fan_speed>7 %</fan_speed>') + table)).toContain('OtherOutput');
});

test('links below the list are another output, and the list says more than the version', () => {
  const list = 'GPU 0: Tesla X (UUID: GPU-1)\n';
  const version = 'NVIDIA-SMI version  : 600.1\n';
  expect(parseNvidiaSmi(`${list}\t Link 0: 25 GB/s\n\t Link 1: 25 GB/s\n`)).toMatchObject({
    gpus: [{ uuid: 'GPU-1' }],
    problems: [{ reason: 'OtherOutput' }],
  });
  for (const both of [list + version, version + list]) expect(parseNvidiaSmi(both)).toMatchObject({ kind: 'list' });
});

test('XML of which a shell escaped the quotes names its GPUs', () => {
  const escaped = xml('<fan_speed>7 %</fan_speed>').replaceAll('"', String.raw`\"`);
  expect(parseNvidiaSmi(escaped).gpus).toMatchObject([{ pciBusId: gpu(xml('')).pciBusId, fanPercent: 7 }]);
});

test('XML below the header of a monitoring agent is read whole', () => {
  const sections = `<<<<host>>>>\n<<<nvidia_smi:sep(9)>>>\n${xml('<fan_speed>7 %</fan_speed>')}<<<df>>>\n`;
  expect(parseNvidiaSmi(sections)).toMatchObject({ gpus: [{ fanPercent: 7 }], problems: [] });
});

test('XML that lost its beginning is read from the next document on, and says so', () => {
  const whole = xml('<fb_memory_usage><used>5 MiB</used></fb_memory_usage>');
  const { gpus, problems } = parseNvidiaSmi(whole.slice(whole.indexOf('<used>')) + whole);
  expect(gpus).toMatchObject([{ memoryUsedMiB: 5 }]);
  expect(problems).toEqual([{ reason: 'Truncated', message: 'the XML begins inside an element' }]);
});

test('a Jetson has a GPU without bus, memory or sensors', () => {
  const input = `| NVIDIA-SMI 540.3.0                Driver Version: N/A          CUDA Version: 12.2     |
| GPU  Name                 Persistence-M | Bus-Id        Disp.A | Volatile Uncorr. ECC |
|   0  Orin (nvgpu)                  N/A  | N/A              N/A |                  N/A |
| N/A   N/A  N/A               N/A /  N/A | Not Supported        |     N/A          N/A |
|                                         |                      |                  N/A |
`;
  const reading = parseNvidiaSmi(input);
  expect(reading).toMatchObject({ kind: 'table', cudaVersion: '12.2', problems: [] });
  expect(reading).not.toHaveProperty('driverVersion');
  const { printed: _printed, ...said } = reading.gpus[0]!;
  expect(said).toEqual({ document: 1, index: 0, name: 'Orin (nvgpu)', isVgpu: false, throttledBy: [], migDevices: [] });
});

test('text gives what XML gives', () => {
  const reading = parseNvidiaSmi(text);
  expect(reading).toMatchObject({ kind: 'text', driverVersion: '470.57.02', cudaVersion: '11.4', attachedGpus: 2 });
  expect(reading.gpus[0]).toMatchObject({
    index: 0,
    name: 'Tesla V100-SXM2-16GB',
    uuid: 'GPU-aaaaaaaa-0000-1111-2222-333344445555',
    pciBusId: '00000000:01:00.0',
    memoryUsedMiB: 15000,
    utilizationGpuPercent: 97,
    utilizationMemoryPercent: 40,
    temperatureCelsius: 71,
    powerDrawWatts: 287.1,
    powerLimitWatts: 300,
    throttledBy: ['sw_power_cap', 'hw_slowdown', 'hw_thermal_slowdown'],
  });
  expect(reading.gpus[0]).not.toHaveProperty('migMode');
  expect(reading.gpus[0]!.printed['name_that_fills_its_column_to_the_end_of']).toBe('1');
  expect(reading.gpus[1]).not.toHaveProperty('utilizationGpuPercent');
  expect(reading.problems).toEqual([
    { reason: 'ValueInError', message: 'GPU 00000000:02:00.0: utilization/gpu is GPU is lost' },
  ]);
  expect(reading.processes.map(({ gpu: index, pid, name }) => [index, pid, name])).toEqual([
    [0, 1234, 'python3 -m serve --name=a : b'],
    [1, 7, 'one'],
    [1, 8, 'two'],
  ]);
});

test('the plain table gives GPUs, MIG devices and processes, indented and quoted or not', () => {
  for (const input of [table, table.replaceAll(/^/gm, '    '), `root@pod:/# nvidia-smi\n${table}`]) {
    const reading = parseNvidiaSmi(input);
    expect(reading).toMatchObject({ kind: 'table', driverVersion: '460.32.03', cudaVersion: '11.2', problems: [] });
    expect(reading.gpus).toMatchObject([
      { name: 'A100-SXM4-40GB', memoryUsedMiB: 25, migMode: 'Enabled', powerDrawWatts: 46, powerLimitWatts: 400 },
      { pciBusId: '00000000:0F:00.0', utilizationGpuPercent: 62, temperatureCelsius: 29, performanceState: 'P0' },
    ]);
    expect(reading.gpus[0]!.migDevices).toMatchObject([{ gpuInstanceId: '1', index: 0, memoryTotalMiB: 20096 }]);
    expect(reading.gpus[1]).not.toHaveProperty('powerDrawWatts');
    expect(reading.processes).toMatchObject([
      { gpu: 0, pid: 48211, type: 'C', name: '...bin/with blank', usedMemoryMiB: 9, gpuInstanceId: '1' },
    ]);
  }
});

test.each<[string, string, ParseOptions, Partial<Gpu>]>([
  ['with units', 'index, memory.used [MiB], utilization.gpu [%]\n1, 5 MiB, 7 %\n', {}, { index: 1, memoryUsedMiB: 5 }],
  ['nounits', 'index, memory.used [MiB], power.draw [W]\r\n0, 5, 61.20\r\n', {}, { powerDrawWatts: 61.2 }],
  ['noheader', 'GPU-1, 5 MiB', { fields: ['uuid', 'memory.used'] }, { uuid: 'GPU-1', memoryUsedMiB: 5 }],
  ['one recognisable column', 'Tesla T4\n', {}, { name: 'Tesla T4' }],
  ['columns in any order', 'temperature.gpu, name\n40, Tesla T4', {}, { temperatureCelsius: 40, name: 'Tesla T4' }],
  [
    'a mask of throttle reasons',
    'index, clocks_event_reasons.active\n0, 0x0000000000000044',
    {},
    {
      throttledBy: ['sw_power_cap', 'hw_thermal_slowdown'],
    },
  ],
  ['a last cell that is empty', 'name, memory.used [MiB], hostname\nTesla T4, 5 MiB, \n', {}, { memoryUsedMiB: 5 }],
  ['units that other versions use', 'index, memory.total [KiB]\n0, 2048', {}, { memoryTotalMiB: 2 }],
])('CSV %s', (_what, input, options, expected) => {
  expect(gpu(input, options)).toMatchObject(expected);
  expect(reasons(input, options)).toEqual([]);
});

test.each([
  '[N/A]',
  'N/A',
  '[Not Supported]',
  '[Insufficient Permissions]',
  '-',
  'Requested functionality has been deprecated',
])('a field that says %s is absent and no problem', (nothing) => {
  const input = `index, utilization.gpu [%]\n0, ${nothing}`;
  expect(gpu(input)).not.toHaveProperty('utilizationGpuPercent');
  expect(reasons(input)).toEqual([]);
});

test.each([
  ['ERR!', 'ValueInError'],
  ['[Unknown Error]', 'ValueInError'],
  ['[GPU is lost]', 'ValueInError'],
  ['twelve', 'UnreadableValue'],
  ['12 W', 'UnreadableValue'],
])('a field that says %s is absent and a problem', (printed, reason) => {
  const input = `index, utilization.gpu [%]\n0, ${printed}`;
  expect(gpu(input)).not.toHaveProperty('utilizationGpuPercent');
  expect(reasons(input)).toEqual([reason]);
});

test('-L names GPUs and MIG devices', () => {
  const failing = parseNvidiaSmi('GPU 0: Orin (nvgpu) (UUID: 54cd1a1e)\nGPU 1: NVIDIA L4 (UUID: Unknown Error)\n');
  expect(failing.gpus.map(({ index, name, uuid }) => [index, name, uuid])).toEqual([
    [0, 'Orin (nvgpu)', '54cd1a1e'],
    [1, 'NVIDIA L4', undefined],
  ]);
  expect(failing.problems.map(({ reason }) => reason)).toEqual(['ValueInError']);
  const input = `GPU 0: NVIDIA A100 (UUID: GPU-aa)
  MIG 1g.5gb     Device  0: (UUID: MIG-GPU-aa/7/0)
  MIG 3g.20gb    Device  1: (UUID: MIG-bb)
GPU 1: GRID A100-10C (UUID: GPU-44d2411e-1604-478f-aa96-5a3c00000000)
`;
  expect(parseNvidiaSmi(input)).toMatchObject({
    kind: 'list',
    gpus: [
      {
        name: 'NVIDIA A100',
        isVgpu: false,
        migDevices: [
          { index: 0, profile: '1g.5gb', uuid: 'MIG-GPU-aa/7/0' },
          { index: 1, profile: '3g.20gb', uuid: 'MIG-bb' },
        ],
      },
      { index: 1, isVgpu: true, migDevices: [] },
    ],
    problems: [],
  });
});

test.each([
  ['DRIVER version      : 590.48.01\nCUDA Version        : 13.1', '590.48.01', '13.1'],
  [
    'NVIDIA-SMI version  : 610.57\nDRIVER version : Deprecated, see "KMD version" instead\nKMD version : 610.57.04\nCUDA UMD version : 13.3',
    '610.57.04',
    '13.3',
  ],
])('--version %#', (input, driverVersion, cudaVersion) => {
  expect(parseNvidiaSmi(input)).toMatchObject({ kind: 'version', driverVersion, cudaVersion, problems: [] });
});

test.each([
  ['sh: 1: nvidia-smi: not found', 'NotInstalled'],
  [
    "'nvidia-smi' is not recognized as an internal or external command,\noperable program or batch file.",
    'NotInstalled',
  ],
  ['Failed to initialize NVML: Driver/library version mismatch', 'DriverLibraryMismatch'],
  ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 'DriverNotLoaded'],
  ["NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", 'LibraryNotFound'],
  ['Failed to initialize NVML: Unknown Error', 'InitialisationFailed'],
  ['Failed to properly shut down NVML: GPU access blocked by the operating system', 'InitialisationFailed'],
  [
    'nvidia-smi: error while loading shared libraries: libnvidia-ml.so.1: cannot open shared object file: No such file or directory',
    'LibraryNotFound',
  ],
  ['Unable to determine the device handle for GPU0: 0000:01:00.0: Insufficient Permissions', 'NoPermission'],
  ['No devices were found', 'NoDevices'],
  ['Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system', 'DeviceLost'],
  ['Failed to initialize NVML: Insufficient Permissions', 'NoPermission'],
  ['Field "memory.usd" is not a valid field to query.', 'InvalidUsage'],
  ['Not supported on the device(s)\nFailed to process command line', 'NotSupported'],
  ['The feature is not supported in this configuration', 'NotSupported'],
])('%s is a failure: %s', (input, reason) => {
  const reading = parseNvidiaSmi(input);
  expect(reading).toMatchObject({ kind: 'failure', gpus: [] });
  expect(reading.problems[0]!.reason).toBe(reason);
});

test('a GPU that fell off the bus does not hide the others', () => {
  const lost = 'Unable to determine the device handle for GPU0000:91:00.0: Unknown Error\n';
  for (const output of [table, text, xml(''), 'index, name\n0, Tesla T4\n', 'GPU 0: Tesla T4 (UUID: GPU-1)\n']) {
    const reading = parseNvidiaSmi(lost + output);
    expect(reading.gpus.length).toBeGreaterThan(0);
    expect(reading.problems.map(({ reason }) => reason)).toContain('DeviceLost');
  }
});

test.each([
  ['', 'Empty'],
  [' \r\n', 'Empty'],
  ['Segmentation fault', 'UnknownOutput'],
  ['WARNING: nothing else', 'UnknownOutput'],
  [
    '| GPU instance profiles:   |\n| GPU   Name        ID    Instances  |\n|   0  MIG 1g.9gb   19   7/7  |',
    'UnknownOutput',
  ],
  ['<html><body>502</body></html>', 'UnknownOutput'],
  ['NVIDIA System Management Interface -- v550.54.15', 'UnknownOutput'],
  ['NVIDIA drivers are loaded\nNVSMI provides monitoring information', 'UnknownOutput'],
])('%j is no output of nvidia-smi', (input, reason) => {
  expect(parseNvidiaSmi(input).gpus).toEqual([]);
  expect(reasons(input)).toContain(reason);
});

test.each([
  ['GRID T4-8C', true],
  ['GRID K220Q', true],
  ['NVIDIA A100-1-5C', true],
  ['NVIDIA L40S-48Q', true],
  ['GRID K520', false],
  ['GRID K2', false],
  ['NVIDIA A100-SXM4-80GB', false],
])('whether %s is a vGPU: %s', (name, isVgpu) => {
  expect(gpu(`name, index\n${name}, 0\n`).isVgpu).toBe(isVgpu);
});

test('a warning of ssh before the output is none of nvidia-smi', () => {
  expect(reasons(`Warning: No xauth data; using fake authentication data for X11 forwarding.\n${table}`)).toEqual([]);
});

test('a table or a CSV below a list or a version is what is read', () => {
  for (const short of ['GPU 0: A100-SXM4-40GB (UUID: GPU-1)', 'DRIVER version : 460.32.03'])
    expect(parseNvidiaSmi(`${short}\n${table}`)).toMatchObject({ kind: 'table', driverVersion: '460.32.03' });
  const csv = 'GPU 0: Tesla T4 (UUID: GPU-1)\nname, memory.used [MiB]\nTesla T4, 5 MiB\n';
  expect(parseNvidiaSmi(csv)).toMatchObject({ kind: 'query-gpu', gpus: [{ memoryUsedMiB: 5 }] });
});

test('a line of -L that breaks off before its last parenthesis still names its GPU', () => {
  expect(gpu('GPU 0: Tesla T4 (UUID: GPU-1')).toMatchObject({ name: 'Tesla T4', uuid: 'GPU-1' });
});

test('until driver 343 XML lists the processes that compute', () => {
  const inside = `<compute_processes><process_info><pid>7</pid><process_name>train</process_name>
    <used_memory>90 MB</used_memory></process_info></compute_processes>`;
  const { processes, gpus } = parseNvidiaSmi(xml(inside));
  expect(processes).toMatchObject([{ gpu: 0, pid: 7, name: 'train', usedMemoryMiB: 90 }]);
  expect(Object.keys(gpus[0]!.printed).some((name) => name.includes('process_info'))).toBe(false);
});

test('a vGPU guest has no temperature and no power', () => {
  const guest = xml(`<gpu_virtualization_mode><virtualization_mode>VGPU</virtualization_mode></gpu_virtualization_mode>
    <temperature><gpu_temp>0 C</gpu_temp></temperature><power_readings><power_draw>N/A</power_draw></power_readings>`);
  expect(gpu(guest)).toMatchObject({ isVgpu: true, virtualizationMode: 'VGPU' });
  expect(gpu(guest)).not.toHaveProperty('temperatureCelsius');
  expect(gpu(guest)).not.toHaveProperty('powerDrawWatts');
});
