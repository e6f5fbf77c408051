// The two outputs of a few lines: `nvidia-smi -L`, the only one that names MIG UUIDs, and `--version`.
import { noteFailures } from './failures.ts';
import { gpuOf, migDeviceOf, type Place } from './gpu-fields.ts';
import { limits } from './limits.ts';
import { noteStray } from './other-output.ts';
import { listedGpu, versionIn } from './printed-value.ts';
import { complainOfMore, type Draft, draftOf, type MigDevice } from './reading.ts';

const listedMig = /^MIG (\S{1,40}) {1,20}Device {1,8}(\d{1,4}): \(UUID: ([^()]{1,200})\)?$/;

/** Never throws. Every line is an entry: where logs of several pods are joined, a UUID can stand twice. */
export function readListOutput(text: string): Draft {
  const draft = draftOf('list');
  let migDevices: MigDevice[] = [];
  for (const line of text.split('\n')) {
    const content = line.trim();
    const gpu = content.length > limits.tableLine ? null : listedGpu.exec(content);
    const mig = content.length > limits.tableLine ? null : listedMig.exec(content);
    const place: Place = { draft, document: 1, what: content };
    if ((gpu ?? mig) !== null && draft.gpus.length + migDevices.length >= limits.entries) {
      complainOfMore(draft, 'GPUs and instances');
      break;
    }
    if (gpu !== null) {
      migDevices = [];
      const printed = { index: gpu[1]!, name: gpu[2]!, uuid: gpu[3]! };
      draft.gpus.push(gpuOf(printed, draft.gpus.length, place, migDevices));
    } else if (mig !== null) {
      migDevices.push(migDeviceOf({ profile: mig[1]!, index: mig[2]!, uuid: mig[3]! }, place));
    } else noteStray(draft, [content]);
  }
  return draft;
}

export const versionLine = /^(NVIDIA-SMI|NVML|DRIVER|KMD|CUDA|CUDA UMD) version {0,20}: ?(.{0,100})$/i;

/** Never throws. Since driver 610 the driver's version is the KMD's, and the old lines say "Deprecated". */
export function readVersionOutput(text: string): Draft {
  const draft = draftOf('version');
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = versionLine.exec(line.trim());
    const version = versionIn(match?.[2]);
    if (match !== null && version !== undefined) found[match[1]!.toUpperCase()] = version;
    else if (match === null) noteFailures(draft, [line]);
  }
  const driver = found['DRIVER'] ?? found['KMD'];
  const cuda = found['CUDA'] ?? found['CUDA UMD'];
  if (driver !== undefined) draft.driverVersion = driver;
  if (cuda !== undefined) draft.cudaVersion = cuda;
  return draft;
}
