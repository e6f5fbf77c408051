// Writes down what GPUs do in every layout of nvidia-smi, as its manual and its outputs show them and without regard to
// how they are read. undefined is what the card does not tell.

export interface DeviceState {
  readonly name: string;
  readonly uuid: string;
  readonly bus: string;
  readonly usedMiB: number;
  readonly totalMiB: number;
  readonly gpuPercent: number | undefined;
  readonly memoryPercent: number | undefined;
  readonly celsius: number | undefined;
  /** Whole, since the table rounds. */
  readonly watts: number | undefined;
  readonly limitWatts: number | undefined;
  readonly fanPercent: number | undefined;
  readonly mig: 'Enabled' | 'Disabled' | undefined;
  readonly processes: readonly ProcessState[];
}

export interface ProcessState {
  readonly pid: number;
  readonly type: 'C' | 'G' | 'C+G';
  readonly name: string;
  readonly usedMiB: number | undefined;
}

const or = (value: number | undefined, unit: string, otherwise = 'N/A') =>
  value === undefined ? otherwise : `${value}${unit}`;
const all = (gpus: readonly DeviceState[], draw: (gpu: DeviceState, index: number) => string) =>
  gpus.map(draw).join('');

/** Widths of the three columns, which grew with drivers 535 and 550. */
export const tableWidths = { 470: [31, 22, 22], 535: [41, 22, 22], 550: [41, 24, 22] } as const;

export function tableOf(gpus: readonly DeviceState[], driver: keyof typeof tableWidths): string {
  const [left, middle, right] = tableWidths[driver];
  const whole = left + middle + right + 2;
  const line = (cells: readonly string[], widths: readonly number[]) =>
    `|${cells.map((cell, at) => cell.padEnd(widths[at]! - 1)).join(' |')} |\n`;
  const border = `+${[left, middle, right].map((width) => '-'.repeat(width)).join('+')}+\n`;
  const row = (...cells: readonly string[]) => line(cells, [left, middle, right]);
  const rows = all(gpus, (gpu, index) => {
    const power = `${or(gpu.watts, 'W')} / ${or(gpu.limitWatts, 'W').padStart(4)}`;
    const sensors = `${or(gpu.fanPercent, '%').padStart(4)}  ${or(gpu.celsius, 'C').padStart(4)}    P0`;
    const name = gpu.name.length > 18 && driver === 470 ? `${gpu.name.slice(0, 15)}...` : gpu.name;
    return (
      row(
        `${`${String(index).padStart(4)}  ${name}`.padEnd(left - 5)}Off`,
        `${gpu.bus} Off`.padStart(middle - 1),
        'N/A'.padStart(right - 1),
      ) +
      row(
        sensors + power.padStart(left - 1 - sensors.length),
        `${gpu.usedMiB}MiB / ${gpu.totalMiB}MiB`.padStart(middle - 1),
        `${or(gpu.gpuPercent, '%').padStart(8)}      Default`.padStart(right - 1),
      ) +
      row('', '', (gpu.mig ?? 'N/A').padStart(right - 1)) +
      border
    );
  });
  const processes = all(gpus, (gpu, index) =>
    gpu.processes
      .map(({ pid, type, name, usedMiB }) => {
        const begin = `${String(index).padStart(5)}   N/A  N/A${String(pid).padStart(12)}${type.padStart(7)}   ${name}`;
        return line([begin + or(usedMiB, 'MiB').padStart(Math.max(2, whole - 2 - begin.length))], [whole]);
      })
      .join(''),
  );
  const title = ` NVIDIA-SMI ${driver}.10    Driver Version: ${driver}.10    CUDA Version: 12.0`;
  return (
    border +
    line([title], [whole]) +
    border +
    row(' GPU  Name        Persistence-M', ' Bus-Id        Disp.A', ' Volatile Uncorr. ECC') +
    row(' Fan  Temp  Perf  Pwr:Usage/Cap', '         Memory-Usage', ' GPU-Util  Compute M.') +
    row('', '', '              MIG M.') +
    `|${[left, middle, right].map((width) => '='.repeat(width)).join('+')}|\n` +
    rows +
    `\n+${'-'.repeat(whole)}+\n` +
    line([' Processes:'], [whole]) +
    line(['  GPU   GI   CI        PID   Type   Process name                  GPU Memory'], [whole]) +
    `|${'='.repeat(whole)}|\n` +
    (processes === '' ? line(['  No running processes found'], [whole]) : processes) +
    `+${'-'.repeat(whole)}+\n`
  );
}

export function textOf(gpus: readonly DeviceState[]): string {
  const field = (indent: number, name: string, value: string) =>
    `${(' '.repeat(indent) + name).padEnd(42)}: ${value}\n`;
  return (
    `\n==============NVSMI LOG==============\n\n${field(0, 'Driver Version', '550.10')}\n` +
    field(0, 'Attached GPUs', String(gpus.length)) +
    all(
      gpus,
      (gpu) =>
        `GPU ${gpu.bus}\n` +
        field(4, 'Product Name', gpu.name) +
        `    MIG Mode\n${field(8, 'Current', gpu.mig ?? 'N/A')}` +
        field(4, 'GPU UUID', gpu.uuid) +
        field(4, 'Fan Speed', or(gpu.fanPercent, ' %')) +
        `    FB Memory Usage\n${field(8, 'Total', `${gpu.totalMiB} MiB`)}${field(8, 'Used', `${gpu.usedMiB} MiB`)}` +
        `    BAR1 Memory Usage\n${field(8, 'Total', '256 MiB')}${field(8, 'Used', '2 MiB')}` +
        `    Utilization\n${field(8, 'GPU', or(gpu.gpuPercent, ' %'))}${field(8, 'Memory', or(gpu.memoryPercent, ' %'))}` +
        `    GPU Utilization Samples\n${field(8, 'Max', '99 %')}` +
        `    Temperature\n${field(8, 'GPU Current Temp', or(gpu.celsius, ' C'))}${field(8, 'GPU Shutdown Temp', '98 C')}` +
        `    GPU Power Readings\n${field(8, 'Average Power Draw', or(gpu.watts, '.00 W'))}` +
        field(8, 'Current Power Limit', or(gpu.limitWatts, '.00 W')) +
        `    Module Power Readings\n${field(8, 'Average Power Draw', '999.00 W')}` +
        (gpu.processes.length === 0 ? field(4, 'Processes', 'None') : '    Processes\n') +
        gpu.processes
          .map(
            ({ pid, type, name, usedMiB }) =>
              field(8, 'GPU instance ID', 'N/A') +
              field(8, 'Compute instance ID', 'N/A') +
              field(8, 'Process ID', String(pid)) +
              field(12, 'Type', type) +
              field(12, 'Name', name) +
              field(12, 'Used GPU Memory', or(usedMiB, ' MiB', 'Not available in WDDM driver model')),
          )
          .join(''),
    )
  );
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function xmlOf(gpus: readonly DeviceState[]): string {
  const leaf = (name: string, value: string) => `<${name}>${escaped(value)}</${name}>\n`;
  const group = (name: string, inside: string) => `<${name}>\n${inside}</${name}>\n`;
  const gpuOf = (gpu: DeviceState) =>
    leaf('product_name', gpu.name) +
    group('mig_mode', leaf('current_mig', gpu.mig ?? 'N/A')) +
    leaf('uuid', gpu.uuid) +
    leaf('fan_speed', or(gpu.fanPercent, ' %')) +
    group('fb_memory_usage', leaf('total', `${gpu.totalMiB} MiB`) + leaf('used', `${gpu.usedMiB} MiB`)) +
    group('bar1_memory_usage', leaf('total', '256 MiB') + leaf('used', '2 MiB')) +
    group(
      'utilization',
      leaf('gpu_util', or(gpu.gpuPercent, ' %')) + leaf('memory_util', or(gpu.memoryPercent, ' %')),
    ) +
    group('temperature', leaf('gpu_temp', or(gpu.celsius, ' C'))) +
    group(
      'gpu_power_readings',
      leaf('average_power_draw', or(gpu.watts, '.00 W')) + leaf('current_power_limit', or(gpu.limitWatts, '.00 W')),
    ) +
    group('module_power_readings', leaf('average_power_draw', '999.00 W')) +
    group(
      'processes',
      gpu.processes
        .map(({ pid, type, name, usedMiB }) =>
          group(
            'process_info',
            leaf('pid', String(pid)) +
              leaf('type', type) +
              leaf('process_name', name) +
              leaf('used_memory', or(usedMiB, ' MiB')),
          ),
        )
        .join(''),
    );
  const body = all(gpus, (gpu) => `<gpu id="${gpu.bus}">\n${gpuOf(gpu)}</gpu>\n`);
  return `<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n${group(
    'nvidia_smi_log',
    leaf('driver_version', '550.10') + leaf('attached_gpus', String(gpus.length)) + body,
  )}`;
}

const columns: readonly (readonly [
  name: string,
  unit: string,
  read: (gpu: DeviceState) => string | number | undefined,
])[] = [
  ['name', '', ({ name }) => name],
  ['uuid', '', ({ uuid }) => uuid],
  ['pci.bus_id', '', ({ bus }) => bus],
  ['memory.used', 'MiB', ({ usedMiB }) => usedMiB],
  ['memory.total', 'MiB', ({ totalMiB }) => totalMiB],
  ['utilization.gpu', '%', ({ gpuPercent }) => gpuPercent],
  ['utilization.memory', '%', ({ memoryPercent }) => memoryPercent],
  ['temperature.gpu', '', ({ celsius }) => celsius],
  ['power.draw', 'W', ({ watts }) => watts],
  ['power.limit', 'W', ({ limitWatts }) => limitWatts],
  ['fan.speed', '%', ({ fanPercent }) => fanPercent],
  ['mig.mode.current', '', ({ mig }) => mig],
];
export const queriedColumns: readonly string[] = columns.map(([name]) => name);

export function csvOf(gpus: readonly DeviceState[], { header, units }: { header: boolean; units: boolean }): string {
  const head = columns.map(([name, unit]) => (unit === '' ? name : `${name} [${unit}]`)).join(', ');
  const cell = (value: string | number | undefined, unit: string) =>
    value === undefined ? '[N/A]' : units && unit !== '' ? `${value} ${unit}` : `${value}`;
  const rows = all(gpus, (gpu) => `${columns.map(([, unit, read]) => cell(read(gpu), unit)).join(', ')}\n`);
  return (header ? `${head}\n` : '') + rows;
}

export function monitorOf(gpus: readonly DeviceState[]): string {
  const cells = (...values: readonly (number | string | undefined)[]) =>
    `${values.map((value) => String(value ?? '-').padStart(6)).join(' ')}\n`;
  const rows = all(gpus, (gpu, index) =>
    cells(index, gpu.watts, gpu.celsius, gpu.gpuPercent, gpu.memoryPercent, gpu.usedMiB),
  );
  return `# gpu    pwr  gtemp     sm    mem     fb\n# Idx      W      C      %      %     MB\n${rows}`;
}
