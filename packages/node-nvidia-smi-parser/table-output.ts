// The plain table, the one for people. It cuts names off and rounds power, but in many logs it is all there is. Each
// GPU takes two or three lines, MIG devices two, a process one; prompts, dates and indentation may stand around.
import { gpuOf, migDeviceOf, type Place, processOf } from './gpu-fields.ts';
import { limits } from './limits.ts';
import { noteStray } from './other-output.ts';
import { dateLine } from './printed-value.ts';
import { complain, complainOfMore, type Draft, draftOf, type MigDevice } from './reading.ts';

interface Block {
  readonly index: number;
  readonly document: number;
  readonly printed: Record<string, string>;
  readonly migDevices: MigDevice[];
  line: number;
}

type Section = 'gpus' | 'mig' | 'processes';

const firstLine = /^(\d{1,4}) {1,8}(.{1,100}?) {1,60}(On|Off|WDDM|TCC|MCDM|N\/A|ERR!)$/;
// Until driver 310 a line named no persistence mode, and numbers ended in a full stop. Beside a PCI address it is a
// GPU's all the same.
const firstLineOf310 = /^(\d{1,4})\.? {1,8}(.{1,100})$/;
const busId = /^[0-9a-f]{4,8}:[0-9a-f]{1,2}:[0-9a-f]{1,2}\.\d(?=\s|$)/i;
/** What only the first line of a GPU says, for tables that somebody cut out below their heading. */
export const rowOfGpu = /^\|[^|]{1,60}\|\s{1,9}[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.\d\s[^|]{1,9}\|[^|]{1,30}\|$/i;
/** What begins the rows below those of the GPUs, for a table of which only its end is there. */
export const bareRows = /^[ \t]*\| {0,9}(?:MIG devices|(?:Compute )?processes): /im;
const secondLine = /^(\S{1,8}) {1,8}(\S{1,8}(?: C)?) {1,8}(\S{1,8}) {1,40}(\S{1,20}?) {0,2}\/ {0,20}(\S{1,20})$/;
// Until driver 310 the share stood before the two.
const memory = /^(?:\d{1,3}% {1,8})?(?!N\/A$)(\S{1,20}) ?\/ {0,20}(\S{1,20})$/;
const banner =
  /NVIDIA-SMI (\S{1,20})(?:.{1,80}?(?:Driver|KMD) Version: (\S{1,20}))?(?:.{1,80}?CUDA (?:UMD )?Version: (\S{1,20}))?/;
/** The title without its bars, as people copy it. */
const bareTitle = /^NVIDIA-SMI \d/;
const processType = /^(?:[CGM]|C\+G|M\+C)$/;

/** Never throws; linear in the length of the text. */
export function readTableOutput(text: string): Draft {
  const draft = draftOf('table');
  let section: Section = 'gpus';
  let documents = 0;
  let blocks: Block[] = [];
  let mig: { readonly block: Block; readonly printed: Record<string, string> } | undefined;

  const finish = () => {
    for (const block of blocks) {
      const place = { draft, document: block.document, what: `GPU ${block.index}` };
      draft.gpus.push(gpuOf(block.printed, block.index, place, block.migDevices));
    }
    blocks = [];
  };

  const lines = text.trimEnd().split('\n');
  for (const line of lines) {
    const content = line.trim();
    if (content === '' || content.length > limits.tableLine) continue;
    if (!content.startsWith('|') && !bareTitle.test(content)) {
      if (dateLine.test(content)) draft.timestamp ??= content;
      else if (!content.startsWith('+')) noteStray(draft, [content]);
      continue;
    }
    const cells = content.replace(/^\||\|$/g, '').split('|');
    const whole = cells.join('|').trim();
    const title = banner.exec(whole);
    if (title !== null) {
      finish();
      documents += 1;
      section = 'gpus';
      const [, , driver, cuda] = title;
      // On a Jetson the driver has none.
      if (driver !== undefined && /^\d/.test(driver)) draft.driverVersion ??= driver;
      if (cuda !== undefined && /^\d/.test(cuda)) draft.cudaVersion ??= cuda;
    } else if (/^MIG devices:/.test(whole)) section = 'mig';
    else if (/^(?:Compute )?Processes:/i.test(whole)) section = 'processes';
    else if (draft.gpus.length + blocks.length > limits.entries || draft.processes.length > limits.entries) {
      complainOfMore(draft, 'GPUs or processes');
      break;
    } else if (section === 'gpus') readGpuLine(cells, Math.max(1, documents), blocks);
    else if (section === 'mig') mig = readMigLine(cells, blocks, mig, draft);
    else readProcessLine(whole, Math.max(1, documents), blocks, draft);
  }
  finish();
  draft.documents = Math.max(1, documents);
  if (draft.gpus.length === 0) complain(draft, 'Truncated', 'the table shows no GPU');
  else if (/^\s*\|(?:.*[^|])?$/.test(lines.at(-1)!)) complain(draft, 'Truncated', 'the table ends inside a line');
  return draft;
}

function readGpuLine(cells: readonly string[], document: number, blocks: Block[]): void {
  const [left = '', middle = '', right = ''] = cells.map((cell) => cell.trim());
  const first = firstLine.exec(left) ?? (busId.test(middle) ? firstLineOf310.exec(left) : null);
  if (first !== null && cells.length >= 3) {
    const printed: Record<string, string> = Object.create(null);
    const [, index, name, mode] = first;
    printed['index'] = index!;
    printed['name'] = name!;
    if (mode !== undefined)
      printed[/^(?:WDDM|TCC|MCDM)$/.test(mode) ? 'driver_model/current_dm' : 'persistence_mode'] = mode;
    printed['gpu_bus_id'] = middle.split(' ', 1)[0]!;
    printed['table:ecc'] = right;
    blocks.push({ index: Number(index), document, printed, migDevices: [], line: 1 });
    return;
  }
  const block = blocks.at(-1);
  if (block === undefined || cells.length < 3) return;
  block.line += 1;
  const second = block.line === 2 ? secondLine.exec(left) : null;
  if (second !== null) {
    const [, fan, temperature, state, power, cap] = second;
    Object.assign(block.printed, { 'table:fan': fan, 'table:temp': temperature, pstate: state });
    Object.assign(block.printed, { 'table:power': power, 'table:cap': cap });
    const used = memory.exec(middle);
    if (used !== null) Object.assign(block.printed, { 'memory.used': used[1], 'memory.total': used[2] });
    const blank = right.indexOf(' ');
    block.printed['utilization.gpu'] = blank === -1 ? right : right.slice(0, blank);
    if (blank !== -1) block.printed['compute_mode'] = right.slice(blank).trim();
  } else if (block.line === 3 && right !== '') block.printed['mig.mode.current'] = right.replace(/\*$/, '');
}

type MigLine = { readonly block: Block; readonly printed: Record<string, string> } | undefined;

function readMigLine(cells: readonly string[], blocks: readonly Block[], open: MigLine, draft: Draft): MigLine {
  const [ids = '', usage = '', counts = ''] = cells.map((cell) => cell.trim());
  const numbers = ids.split(/\s+/);
  const used = memory.exec(usage);
  if (numbers.length < 4 || !numbers.every((number) => /^\d{1,4}$/.test(number)) || used === null) return open;
  const block = blocks.find(({ index }) => index === Number(numbers[0]));
  if (block === undefined) {
    complain(draft, 'UnreadableRow', `${ids}: the table does not show its GPU`);
    return undefined;
  }
  const printed: Record<string, string> = Object.create(null);
  Object.assign(printed, {
    gpu_instance_id: numbers[1],
    compute_instance_id: numbers[2],
    index: numbers[3],
    'fb_memory_usage/used': used[1],
    'fb_memory_usage/total': used[2],
    multiprocessor_count: counts.split(/\s+/)[0],
  });
  const place: Place = { draft, document: block.document, what: `GPU ${block.index}, MIG device ${numbers[3]}` };
  block.migDevices.push(migDeviceOf(printed, place));
  return { block, printed };
}

function readProcessLine(whole: string, document: number, blocks: readonly Block[], draft: Draft): void {
  const words = whole.split(/\s+/);
  // Until driver 384 a card that tells no processes has a row that says so.
  if (!/^\d{1,4}\.?$/.test(words[0]!) || whole.endsWith('Not Supported')) return;
  // Since driver 450 two columns name the MIG instances; until driver 343 none named the type.
  const typeAt = words.findIndex((word, index) => index >= 2 && index <= 4 && processType.test(word));
  const pidAt = typeAt === -1 ? 1 : typeAt - 1;
  if (typeAt === 3 || words.length < pidAt + 3 || !/^(?:\d{1,10}|N\/A)$/.test(words[pidAt]!)) {
    complain(draft, 'UnreadableRow', whole);
    return;
  }
  const printed: Record<string, string> = Object.create(null);
  if (typeAt === 4) Object.assign(printed, { gpu_instance_id: words[1], compute_instance_id: words[2] });
  if (typeAt !== -1) printed['type'] = words[typeAt]!;
  Object.assign(printed, {
    pid: words[pidAt],
    process_name: words.slice(Math.max(pidAt, typeAt) + 1, -1).join(' '),
    used_memory: words.at(-1),
  });
  const index = Number(words[0]);
  const gpuBusId = blocks.find((block) => block.index === index)?.printed['gpu_bus_id'];
  const place: Place = { draft, document, what: `process ${printed['pid']}` };
  const process = processOf(printed, index, place);
  draft.processes.push(gpuBusId === undefined ? process : { ...process, gpuBusId });
}
