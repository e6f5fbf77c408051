// Which printed field says what, in all formats at once. Drivers move and rename fields (and the DTD's number does not
// tell), so a row lists every name that was seen; the first that holds a value counts. Names are paths in XML and
// text (`fb_memory_usage/used`), columns in CSV (`memory.used`) and dmon (`pwr`), `table:…` in the plain table.
import { cellOf, numberIn } from './printed-value.ts';
import { complain, type Draft, type Gpu, type GpuProcess, type MigDevice, type ThrottleReason } from './reading.ts';

export type Printed = Readonly<Record<string, string>>;

interface NumberRow {
  readonly unit: 'MiB' | '%' | 'C' | 'W' | 'MHz' | '';
  readonly names: readonly string[];
  /** A share of a whole ends at 100; others have no end. */
  readonly atMost?: number;
}

/** A share of something, in percent. */
const share = <const Names extends readonly string[]>(...names: Names) => ({ unit: '%', names, atMost: 100 }) as const;

const gpuNumbers = {
  memoryTotalMiB: { unit: 'MiB', names: ['fb_memory_usage/total', 'memory_usage/total', 'memory.total'] },
  memoryReservedMiB: { unit: 'MiB', names: ['fb_memory_usage/reserved', 'memory.reserved'] },
  memoryUsedMiB: { unit: 'MiB', names: ['fb_memory_usage/used', 'memory_usage/used', 'memory.used', 'fb'] },
  memoryFreeMiB: { unit: 'MiB', names: ['fb_memory_usage/free', 'memory_usage/free', 'memory.free'] },
  utilizationGpuPercent: share('utilization/gpu_util', 'utilization/gpu', 'utilization.gpu', 'sm'),
  utilizationMemoryPercent: share('utilization/memory_util', 'utilization/memory', 'utilization.memory', 'mem'),
  utilizationEncoderPercent: share('utilization/encoder_util', 'utilization/encoder', 'utilization.encoder', 'enc'),
  utilizationDecoderPercent: share('utilization/decoder_util', 'utilization/decoder', 'utilization.decoder', 'dec'),
  temperatureCelsius: {
    unit: 'C',
    names: [
      'temperature/gpu_temp',
      'temperature/gpu_current_temp',
      'temperature/gpu',
      'temperature.gpu',
      'gtemp',
      'temp',
      'table:temp',
    ],
  },
  memoryTemperatureCelsius: {
    unit: 'C',
    names: ['temperature/memory_temp', 'temperature/memory_current_temp', 'temperature.memory', 'mtemp'],
  },
  // Whole paths, because module_power_readings holds fields of the same names that mean another thing.
  averagePowerDrawWatts: {
    unit: 'W',
    names: ['gpu_power_readings/average_power_draw', 'power_readings/average_power_draw', 'power.draw.average'],
  },
  instantPowerDrawWatts: {
    unit: 'W',
    names: [
      'gpu_power_readings/instant_power_draw',
      'gpu_power_readings/instantaneous_power_draw',
      'power_readings/instant_power_draw',
      'power_readings/instantaneous_power_draw',
      'power.draw.instant',
    ],
  },
  powerLimitWatts: {
    unit: 'W',
    names: [
      'gpu_power_readings/current_power_limit',
      'gpu_power_readings/gpu_ceiling_power_limit/current_power_limit', // since driver 610
      'gpu_power_readings/power_limit',
      'power_readings/current_power_limit',
      'power_readings/power_limit',
      'power_readings/enforced_power_limit',
      'power.limit',
      'enforced.power.limit',
      'table:cap',
    ],
  },
  // Of the speed that is quiet enough, which a hot card exceeds.
  fanPercent: { unit: '%', names: ['fan_speed', 'fan.speed', 'table:fan'] },
  clockGraphicsMHz: {
    unit: 'MHz',
    names: ['clocks/graphics_clock', 'clocks/graphics', 'clocks.current.graphics', 'clocks.gr'],
  },
  clockSmMHz: { unit: 'MHz', names: ['clocks/sm_clock', 'clocks/sm', 'clocks.current.sm', 'clocks.sm', 'pclk'] },
  clockMemoryMHz: {
    unit: 'MHz',
    names: ['clocks/mem_clock', 'clocks/memory', 'clocks.current.memory', 'clocks.mem', 'mclk'],
  },
} as const satisfies Record<string, NumberRow>;

const plainPowerDraw: NumberRow = {
  unit: 'W',
  names: ['gpu_power_readings/power_draw', 'power_readings/power_draw', 'power.draw', 'pwr', 'table:power'],
};

const gpuWords = {
  name: ['product_name', 'name', 'gpu_name'],
  uuid: ['uuid', 'gpu_uuid'],
  pciBusId: ['pci/pci_bus_id', 'pci/bus_id', 'pci.bus_id', 'gpu_bus_id', 'id'],
  serial: ['serial', 'serial_number', 'gpu_serial'],
  performanceState: ['performance_state', 'pstate'],
  computeMode: ['compute_mode'],
  persistenceMode: ['persistence_mode'],
  driverModel: ['driver_model/current_dm', 'driver_model/current', 'driver_model.current'],
  migMode: ['mig_mode/current_mig', 'mig_mode/current', 'mig.mode.current'],
} as const;

const virtualizationMode = [
  'gpu_virtualization_mode/virtualization_mode',
  'virtualization_mode/virtualization_mode',
  'gpu_virtualization_mode/virtualization',
];

const processNumbers = {
  pid: { unit: '', names: ['pid', 'process_id'] },
  usedMemoryMiB: {
    unit: 'MiB',
    names: ['used_memory', 'used_gpu_memory', 'usage', 'fb'],
  },
  smPercent: share('sm'),
  memoryPercent: share('mem'),
  encoderPercent: share('enc'),
  decoderPercent: share('dec'),
} as const satisfies Record<string, NumberRow>;

const processWords = {
  type: ['type'],
  name: ['process_name', 'name', 'command'],
  gpuUuid: ['gpu_uuid'],
  gpuBusId: ['gpu_bus_id'],
  gpuInstanceId: ['gpu_instance_id', 'gi'],
  computeInstanceId: ['compute_instance_id', 'ci'],
} as const;

const migNumbers = {
  index: { unit: '', names: ['index'] },
  memoryTotalMiB: { unit: 'MiB', names: ['fb_memory_usage/total', 'shared_fb_memory_usage/total'] },
  memoryUsedMiB: { unit: 'MiB', names: ['fb_memory_usage/used', 'shared_fb_memory_usage/used'] },
  memoryFreeMiB: { unit: 'MiB', names: ['fb_memory_usage/free', 'shared_fb_memory_usage/free'] },
  multiprocessors: {
    unit: '',
    names: ['device_attributes/shared/multiprocessor_count', 'multiprocessor_count'],
  },
} as const satisfies Record<string, NumberRow>;

const migWords = {
  gpuInstanceId: ['gpu_instance_id'],
  computeInstanceId: ['compute_instance_id'],
  uuid: ['uuid'],
  profile: ['profile'],
} as const;

/** Where something stands in the input, for problems and for telling documents apart. */
export interface Place {
  readonly draft: Draft;
  readonly document: number;
  /** `GPU 00000000:31:00.0`, `row 3` */
  readonly what: string;
  /** Units that the header of a CSV names, by column. */
  readonly units?: Readonly<Record<string, string>>;
}

function numberOf(
  { names, unit, atMost = Number.POSITIVE_INFINITY }: NumberRow,
  printed: Printed,
  place: Place,
): number | undefined {
  for (const name of names) {
    const text = printed[name];
    if (text === undefined) continue;
    const cell = cellOf(text);
    if (cell.is === 'absent') continue;
    const value = cell.is === 'value' ? numberIn(cell.text, unit, place.units?.[name]) : undefined;
    if (value !== undefined && value <= atMost) return value;
    complain(
      place.draft,
      cell.is === 'error' ? 'ValueInError' : 'UnreadableValue',
      `${place.what}: ${name} is ${text}`,
    );
  }
  return undefined;
}

function wordOf(names: readonly string[], printed: Printed, place: Place, noneIsValue = false): string | undefined {
  for (const name of names) {
    const text = printed[name];
    if (text === undefined) continue;
    const cell = cellOf(text, noneIsValue);
    if (cell.is === 'value') return cell.text;
    if (cell.is === 'error') complain(place.draft, 'ValueInError', `${place.what}: ${name} is ${text}`);
  }
  return undefined;
}

/** Names of vGPUs are `GRID T4-8C` and later `NVIDIA A16-2Q`, `NVIDIA A100-1-5C`; four boards were called GRID too. */
const vgpuName = /^(?:NVIDIA )?GRID (?!K(?:1|2|340|520)\b)|vGPU|-\d{1,3}(?:-\d{1,3})?[ABCQ][A-Z\d]{0,4}$/;

/** Whether a card of this name is a virtual one, as its guest sees it. */
export const isVgpuName = (name: string): boolean => vgpuName.test(name);

type Fields<Names extends string, Value> = { -readonly [Name in Names]?: Value };

/** The table's fields that hold something; the others are left out rather than set to undefined. */
function read<Names extends string, Row, Value>(
  table: Readonly<Record<Names, Row>>,
  readRow: (row: Row) => Value | undefined,
): Fields<Names, Value> {
  const found: Fields<Names, Value> = {};
  for (const name of Object.keys(table) as Names[]) {
    const value = readRow(table[name]);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** One GPU of its printed fields. `position` stands for the index where none is printed. */
export function gpuOf(printed: Printed, position: number, place: Place, migDevices: readonly MigDevice[] = []): Gpu {
  const numbers = read(gpuNumbers, (row: NumberRow) => numberOf(row, printed, place));
  const words = read(gpuWords, (names: readonly string[]) => wordOf(names, printed, place));
  const power =
    numberOf(plainPowerDraw, printed, place) ?? numbers.averagePowerDrawWatts ?? numbers.instantPowerDrawWatts;
  const mode = wordOf(virtualizationMode, printed, place, true);
  const isVgpu = mode === 'VGPU' || isVgpuName(words.name ?? '') || /0{8}$/.test(lastOf(words.uuid));
  // A guest sees no sensor and no clock, and is told 0.
  if (isVgpu)
    for (const name of ['temperatureCelsius', 'clockGraphicsMHz', 'clockSmMHz', 'clockMemoryMHz'] as const)
      if (numbers[name] === 0) delete numbers[name];
  // Layers that share a card out count down below zero, which reads as terabytes; a little over the total is a limit passed.
  const { memoryUsedMiB: used = 0, memoryTotalMiB: total = used } = numbers;
  if (used > 2 * total) {
    complain(place.draft, 'UnreadableValue', `${place.what}: ${used} MiB of ${total} are used`);
    delete numbers.memoryUsedMiB;
  }
  const index = Number(printed['index'] ?? printed['gpu'] ?? printed['idx'] ?? position);
  return {
    document: place.document,
    index: Number.isInteger(index) && index >= 0 ? index : position,
    ...words,
    ...numbers,
    ...(power === undefined ? {} : { powerDrawWatts: power }),
    ...(mode === undefined ? {} : { virtualizationMode: mode }),
    isVgpu,
    throttledBy: throttledBy(printed),
    migDevices,
    printed,
  };
}

/** The last group of a UUID; all of it zero is a masked one, not a vGPU's. */
function lastOf(uuid: string | undefined): string {
  const last = uuid?.slice(uuid.lastIndexOf('-') + 1) ?? '';
  return /^0*$/.test(last) ? '' : last;
}

export function processOf(printed: Printed, gpu: number | undefined, place: Place): GpuProcess {
  return {
    document: place.document,
    ...(gpu === undefined ? {} : { gpu }),
    ...read(processWords, (names: readonly string[]) => wordOf(names, printed, place)),
    ...read(processNumbers, (row: NumberRow) => numberOf(row, printed, place)),
    printed,
  };
}

export function migDeviceOf(printed: Printed, place: Place): MigDevice {
  return {
    ...read(migWords, (names: readonly string[]) => wordOf(names, printed, place)),
    ...read(migNumbers, (row: NumberRow) => numberOf(row, printed, place)),
    printed,
  };
}

/** Bits of `clocks_event_reasons.active`, for queries that ask for the mask alone. */
const throttleBits: Readonly<Record<ThrottleReason, number>> = {
  sw_power_cap: 0x4,
  hw_slowdown: 0x8,
  sync_boost: 0x10,
  sw_thermal_slowdown: 0x20,
  hw_thermal_slowdown: 0x40,
  hw_power_brake_slowdown: 0x80,
};

/** `clocks_throttle_reasons` until driver 530, `clocks_event_reasons` since; flags in all formats, a mask in CSV. */
function throttledBy(printed: Printed): ThrottleReason[] {
  const active = new Set<string>();
  let mask = 0;
  for (const [name, text] of Object.entries(printed)) {
    if (!/^clocks_(?:throttle|event)_reasons[/.]/.test(name)) continue;
    const last = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('.')) + 1);
    if (text.trim() === 'Active') active.add(last.replace(/^clocks_(?:throttle|event)_reason_/, ''));
    if (last === 'active' && /^0x[0-9a-f]{1,16}$/i.test(text)) mask = Number(text);
  }
  const reasons = Object.entries(throttleBits) as [ThrottleReason, number][];
  return reasons.filter(([reason, bit]) => active.has(reason) || (mask & bit) !== 0).map(([reason]) => reason);
}
