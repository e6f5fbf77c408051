// The reading as the command line prints it: everything of `Reading`, and beside it the values as they stand in the
// output, with their unit, under short names that are the same for every format. People compare those with what
// they see on their screen; programs use the numbers.
import type { Gpu, MigDevice, Reading } from './reading.ts';

/** Names under which a printed value is shown, and where each format keeps it. */
const names = {
  pciBusId: ['id', 'pci/pci_bus_id', 'pci/bus_id', 'pci.bus_id', 'gpu_bus_id'],
  name: ['product_name', 'name', 'gpu_name'],
  uuid: ['uuid', 'gpu_uuid'],
  utilizationGpu: ['utilization/gpu_util', 'utilization/gpu', 'utilization.gpu', 'sm'],
  memoryUsed: ['fb_memory_usage/used', 'memory_usage/used', 'memory.used'],
  memoryTotal: ['fb_memory_usage/total', 'memory_usage/total', 'memory.total'],
  temperature: [
    'temperature/gpu_temp',
    'temperature/gpu_current_temp',
    'temperature/gpu',
    'temperature.gpu',
    'table:temp',
    'gtemp',
  ],
  migMode: ['mig_mode/current_mig', 'mig_mode/current', 'mig.mode.current'],
  virtualization: ['gpu_virtualization_mode/virtualization_mode', 'virtualization_mode/virtualization_mode'],
} as const;

const migNames = {
  memoryUsed: ['fb_memory_usage/used', 'shared_fb_memory_usage/used'],
  memoryTotal: ['fb_memory_usage/total', 'shared_fb_memory_usage/total'],
} as const;

const powerBlocks = ['gpu_power_readings', 'power_readings'];

/** The value, or null where the output has no such field: JSON shows the difference to a field that says N/A. */
const printedOf = (printed: Readonly<Record<string, string>>, places: readonly string[]): string | null =>
  places.map((place) => printed[place]).find((text) => text !== undefined) ?? null;

const all = (table: Readonly<Record<string, readonly string[]>>, printed: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(table).map(([name, places]) => [name, printedOf(printed, places)]));

/** `average_power_draw` as `-q` writes it: `Average Power Draw`. */
const titleOf = (name: string): string =>
  name.replace(
    /(^|_)([a-z])/g,
    (_whole, gap: string, letter: string) => (gap === '' ? '' : ' ') + letter.toUpperCase(),
  );

function powerOf(reading: Reading, printed: Readonly<Record<string, string>>): Record<string, unknown> {
  if (reading.kind !== 'xml' && reading.kind !== 'text') return {};
  const block = powerBlocks.find((name) => Object.keys(printed).some((path) => path.startsWith(`${name}/`)));
  const draws = Object.entries(printed)
    .filter(([path]) => block !== undefined && path.startsWith(`${block}/`) && path.endsWith('power_draw'))
    .map(([path, text]) => [path.slice(block!.length + 1), text] as const);
  if (reading.kind === 'xml') return { powerBlock: block ?? null, power: Object.fromEntries(draws) };
  return Object.fromEntries(draws.map(([name, text]) => [titleOf(name), text]));
}

function gpuAsPrinted(reading: Reading, gpu: Gpu): Record<string, unknown> {
  const { printed, migDevices, ...typed } = gpu;
  const processes = reading.processes.filter(
    ({ document, gpu: index }) => document === gpu.document && index === gpu.index,
  );
  const mig = migDevices.map(({ printed: fields, ...device }: MigDevice) => ({ ...device, ...all(migNames, fields) }));
  return {
    ...typed,
    ...all(names, printed),
    ...powerOf(reading, printed),
    ...(mig.length === 0 ? {} : { migDevices: mig }),
    processes: processes.length,
  };
}

/** What the command line prints for one input. */
export function asPrinted(reading: Reading): Record<string, unknown> {
  const { gpus, processes, rows, dtd, attachedGpus, ...rest } = reading;
  const shared = {
    ...rest,
    driver: reading.driverVersion ?? null,
    cuda: reading.cudaVersion ?? null,
    attachedGpus: attachedGpus ?? null,
    gpus: gpus.map((gpu) => gpuAsPrinted(reading, gpu)),
    processes: processes.map(({ printed: _fields, ...process }) => process),
  };
  switch (reading.kind) {
    case 'xml':
      return { ...shared, dtd: dtd ?? null, gpuElements: gpus.length };
    case 'text':
      return { ...shared, gpuSections: gpus.length };
    case 'dmon':
    case 'pmon':
      return {
        ...shared,
        columnNames: rows?.columns ?? [],
        headerLines: rows?.headerLines ?? 0,
        rows: rows?.cells.length ?? 0,
        firstRow: rows?.cells[0] ?? null,
      };
    case 'query-gpu':
      return {
        ...shared,
        columns: rows?.columns.length ?? 0,
        rows: rows?.cells.length ?? 0,
        values: gpus.map(({ printed }) => printed),
      };
    case 'query-compute-apps':
      return {
        ...shared,
        columns: rows?.columns.length ?? 0,
        rows: rows?.cells.length ?? 0,
        usedMemory: processes.map(({ printed }) => printed['used_gpu_memory'] ?? printed['used_memory'] ?? null),
        values: processes.map(({ printed }) => printed),
      };
    default:
      return shared;
  }
}
