// `nvidia-smi -q`: sections by indentation, "key : value". Names become paths like those of XML, so that one table of
// fields serves both; what XML lists (MIG devices, processes) stands here in sections of repeated names.
import { failureIn } from './failures.ts';
import { gpuOf, migDeviceOf, type Place, processOf } from './gpu-fields.ts';
import { limits } from './limits.ts';
import { noteOtherOutput } from './other-output.ts';
import { logTitle, versionIn } from './printed-value.ts';
import { complain, complainOfMore, type Draft, draftOf } from './reading.ts';

interface Block {
  /** Absent for sections that somebody cut out, without the line of their GPU. */
  readonly id?: string;
  readonly position: number;
  readonly document: number;
  readonly printed: Record<string, string>;
  readonly migDevices: Record<string, string>[];
  readonly processes: Record<string, string>[];
}

/** Where a GPU's sections begin; with a value behind it, it is one of them. */
export const gpuLine = /^GPU ([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])(?!.* : )/i;
const anyGpuLine = /^\s{0,40}GPU [0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\./im;
/** A section that says how busy a GPU is, and its first value. */
export const bareSection =
  /^[ \t]{0,40}(?:FB Memory Usage|Utilization|Temperature|(?:GPU )?Power Readings|Clocks)[ \t]{0,40}\n[ \t]{1,40}\S[^\n:]{0,60} : /m;
const bareSections = new Set([
  'fb_memory_usage',
  'utilization',
  'temperature',
  'power_readings',
  'gpu_power_readings',
  'clocks',
]);
const pathOf = (name: string): string => name.trim().toLowerCase().replaceAll(' ', '_');
const record = (): Record<string, string> => Object.create(null);

/** Never throws; linear in the length of the text. */
export function readTextOutput(text: string): Draft {
  const draft = draftOf('text');
  /** What stands above the GPUs of each document. */
  const headers = [record()];
  let documents = 0;
  let position = 0;
  let block: Block | undefined;
  let sections: { indent: number; path: string }[] = [];
  /** Where leaves go that belong to one MIG device or process. */
  let entry: { readonly indent: number; readonly fields: Record<string, string>; readonly path: string } | undefined;

  const isCutOut = !anyGpuLine.test(text);
  let lostBeginning = false;

  const finish = () => {
    if (block !== undefined) addGpu(draft, block);
    block = undefined;
  };

  const begin = (id?: string) => {
    finish();
    const of = { position, document: Math.max(1, documents), printed: record(), migDevices: [], processes: [] };
    block = id === undefined ? of : { id, ...of };
    position += 1;
    sections = [];
    entry = undefined;
  };

  for (const line of text.split('\n')) {
    const content = line.trim();
    if (content === '') continue;
    if (content.length <= limits.tableLine && logTitle.test(content)) {
      finish();
      documents += 1;
      if (documents > 1) headers.push(record());
      position = 0;
      continue;
    }
    const indent = line.length - line.trimStart().length;
    const gpu = gpuLine.exec(content);
    if (gpu !== null) {
      begin(gpu[1]!);
      continue;
    }
    // A message of a failure has a colon of its own, but none of the columns that all fields have.
    const colon = content.indexOf(' : ');
    const ends = content.endsWith(' :');
    if (colon === -1 && !ends) {
      if (noteOtherOutput(draft, content)) continue;
      const failure = failureIn(content);
      if (failure !== undefined) {
        complain(draft, failure, content);
        continue;
      }
    }
    // A name that fills its column touches the colon: `Memory Max Operating T.Limit Temp Specification: 0 C`.
    const tight = colon === -1 && !ends ? content.indexOf(': ') : -1;
    const nameEnds = ends ? content.length - 2 : colon !== -1 ? colon : tight !== -1 ? tight : content.length;
    const name = pathOf(content.slice(0, nameEnds));
    const value = colon === -1 && tight === -1 ? undefined : content.slice(content.indexOf(': ', nameEnds) + 2).trim();
    if (value === undefined && bareSections.has(name)) {
      // Of several GPUs the same section is cut out again and again.
      if (isCutOut && (block === undefined || isTold(block, name))) begin();
      lostBeginning ||= block === undefined && documents === 0;
    }
    if (block === undefined) {
      if (value !== undefined) headers.at(-1)![name] ??= value;
      lostBeginning ||= value !== undefined && documents === 0 && indent > 4;
      continue;
    }
    while (sections.length > 0 && sections.at(-1)!.indent >= indent) sections.pop();
    if (entry !== undefined && indent < entry.indent) entry = undefined;
    const parent = sections.at(-1)?.path ?? '';
    const path = parent === '' ? name : `${parent}/${name}`;
    if (sections.length < limits.depth) sections.push({ indent, path });

    if (value === undefined && name === 'mig_device') {
      const fields = record();
      if (block.migDevices.length < limits.entries) block.migDevices.push(fields);
      entry = { indent: indent + 1, fields, path: `${path}/` };
      continue;
    }
    // Newer drivers begin a process with its GPU instance, older ones with its id.
    if (parent === 'processes' && (name === 'gpu_instance_id' || (name === 'process_id' && isBegun(block)))) {
      const fields = record();
      if (block.processes.length < limits.entries) block.processes.push(fields);
      entry = { indent, fields, path: 'processes/' };
    }
    if (value === undefined) continue;
    if (entry !== undefined && path.startsWith(entry.path)) {
      entry.fields[path.slice(entry.path.length).replace(/^process_id\//, '')] ??= value;
    } else block.printed[path] ??= value;
  }
  const isCut = block !== undefined && endsEarly(draft, block);
  finish();
  if (isCut)
    complain(draft, 'Truncated', 'the last GPU ends before its processes, or before those of the last run did');

  if (lostBeginning) complain(draft, 'Truncated', 'the output begins inside a GPU, which is left out');
  draft.documents = Math.max(1, documents);
  for (const [index, header] of headers.entries()) describe(draft, header, index + 1);
  return draft;
}

/**
 * Whether the output breaks off in its last GPU: a whole `-q` has its processes near the end, and a GPU that was described
 * before has the same last field again.
 */
function endsEarly({ gpus }: Draft, { id, printed, processes }: Block): boolean {
  if (id === undefined) return false;
  const names = Object.keys(printed);
  if ('product_name' in printed)
    return processes.length === 0 && !names.some((name) => /^(?:compute_|accounted_)?processes/.test(name));
  const before = gpus.findLast(({ pciBusId }) => pciBusId === id);
  const last = before === undefined ? undefined : Object.keys(before.printed).at(-2);
  return last !== undefined && processes.length === 0 && !(last in printed);
}

const isTold = ({ printed }: Block, section: string): boolean =>
  Object.keys(printed).some((path) => path.startsWith(`${section}/`));

/** Whether the last process has its id already, so that another id begins the next. */
const isBegun = ({ processes }: Block): boolean => processes.length === 0 || 'process_id' in processes.at(-1)!;

function describe(draft: Draft, header: Record<string, string>, number: number): void {
  const driver = versionIn(header['driver_version']) ?? versionIn(header['kmd_version']);
  const cuda = versionIn(header['cuda_version']) ?? versionIn(header['cuda_umd_version']);
  const timestamp = header['timestamp'];
  const attached = Number(header['attached_gpus'] ?? Number.NaN);
  if (driver !== undefined) draft.driverVersion ??= driver;
  if (cuda !== undefined) draft.cudaVersion ??= cuda;
  if (timestamp !== undefined) draft.timestamp ??= timestamp;
  if (!Number.isInteger(attached)) return;
  draft.attachedGpus ??= attached;
  const described = draft.gpus.filter(({ document }) => document === number).length;
  if (attached !== described)
    complain(draft, 'GpusMissing', `${attached} GPUs are attached, ${described} are described`);
}

function addGpu(draft: Draft, block: Block): void {
  const { id, position, document } = block;
  if (draft.gpus.length >= limits.entries) {
    complainOfMore(draft, 'GPUs');
    return;
  }
  const place: Place = { draft, document, what: `GPU ${id ?? position}` };
  const printed = id === undefined ? block.printed : { ...block.printed, id };
  const migDevices = block.migDevices.map((fields) => migDeviceOf(fields, place));
  const gpu = gpuOf(printed, position, place, migDevices);
  draft.gpus.push(gpu);
  for (const fields of block.processes) {
    const owner = {
      ...(id === undefined ? {} : { gpuBusId: id }),
      ...(gpu.uuid === undefined ? {} : { gpuUuid: gpu.uuid }),
    };
    draft.processes.push({ ...processOf(fields, position, place), ...owner });
  }
}
