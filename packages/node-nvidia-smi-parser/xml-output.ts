// `nvidia-smi -q -x`, of every DTD version: fields are found by element names, whatever the DTD is called.

import { gpuOf, migDeviceOf, type Place, processOf } from './gpu-fields.ts';
import { limits } from './limits.ts';
import { noteStray } from './other-output.ts';
import { versionIn } from './printed-value.ts';
import { complain, complainOfMore, type Draft, draftOf } from './reading.ts';
import { leavesOf, readXml, type XmlElement } from './xml.ts';

const lists = new Set(['mig_devices', 'processes', 'compute_processes', 'accounted_processes', 'supported_clocks']);

/** Elements that say how busy a GPU is, for XML that somebody cut out of one. */
export const bareElement = /<(?:fb_memory_usage|utilization|temperature|(?:gpu_)?power_readings|clocks)>\s{0,40}<\w/;

/** Never throws. */
export function readXmlOutput(text: string): Draft {
  const draft = draftOf('xml');
  const { roots, doctypes, stray, truncated, lostBeginning, tooMany } = readXml(text);
  const documents = roots.filter((root) => root.name === 'nvidia_smi_log' || gpusIn(root).length > 0);
  if (documents.length === 0 && bareElement.test(text))
    documents.push({ name: 'gpu', attributes: {}, children: [...roots], text: '' });
  draft.documents = Math.max(1, documents.length);
  const version = /_(v\d+)/.exec(doctypes[0] ?? '')?.[1];
  if (version !== undefined) draft.dtd = version;

  for (const [index, root] of documents.entries()) {
    const gpus = gpusIn(root);
    const header = leavesOf(root, new Set(['gpu']));
    describe(draft, header);
    for (const [position, gpu] of gpus.entries()) {
      if (draft.gpus.length < limits.entries) addGpu(draft, gpu, position, index + 1);
      else complainOfMore(draft, 'GPUs');
    }
    const attached = Number(header['attached_gpus']);
    if (Number.isInteger(attached)) {
      draft.attachedGpus ??= attached;
      if (attached !== gpus.length && !truncated)
        complain(draft, 'GpusMissing', `${attached} GPUs are attached, ${gpus.length} are described`);
    }
  }
  noteStray(draft, stray);
  if (tooMany) complainOfMore(draft, 'elements in one');
  if (lostBeginning) complain(draft, 'Truncated', 'the XML begins inside an element');
  if (truncated) complain(draft, 'Truncated', 'the XML ends inside an element');
  return draft;
}

function gpusIn(root: XmlElement): XmlElement[] {
  if (root.name === 'gpu') return [root];
  return root.children.filter(({ name }) => name === 'gpu');
}

function describe(draft: Draft, header: Record<string, string>): void {
  const driver = versionIn(header['driver_version']) ?? versionIn(header['kmd_version']);
  const cuda = versionIn(header['cuda_version']) ?? versionIn(header['cuda_umd_version']);
  const timestamp = header['timestamp'];
  if (driver !== undefined) draft.driverVersion ??= driver;
  if (cuda !== undefined) draft.cudaVersion ??= cuda;
  if (timestamp !== undefined) draft.timestamp ??= timestamp;
}

function addGpu(draft: Draft, gpu: XmlElement, position: number, document: number): void {
  const id = gpu.attributes['id'];
  const printed = { ...leavesOf(gpu, lists), ...(id === undefined ? {} : { id }) };
  const place: Place = { draft, document, what: `GPU ${id ?? position}` };
  const inside = (list: string) => gpu.children.find(({ name }) => name === list)?.children ?? [];
  const migDevices = inside('mig_devices').map((device) => migDeviceOf(leavesOf(device), place));
  draft.gpus.push(gpuOf(printed, position, place, migDevices));
  // Until driver 343 only those that compute were listed, under a name of their own.
  for (const process of [...inside('processes'), ...inside('compute_processes')])
    if (draft.processes.length < limits.entries)
      draft.processes.push({ ...processOf(leavesOf(process), position, place), ...owner(printed, id) });
}

const owner = (printed: Record<string, string>, id: string | undefined) => ({
  ...(printed['uuid'] === undefined ? {} : { gpuUuid: printed['uuid'] }),
  ...(id === undefined ? {} : { gpuBusId: id }),
});
