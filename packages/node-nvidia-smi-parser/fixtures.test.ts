// Outputs of real machines that other people published. They are not part of the repository; where they are absent the
// test says so.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parseNvidiaSmi } from './index.ts';
import { asPrinted } from './printed-names.ts';

interface Fixture {
  readonly file: string;
  readonly kind: string;
  readonly expected?: object;
}

const folder = fileURLToPath(new URL('../../../shared/fixtures/nvidia-smi/', import.meta.url));
const fixtures: readonly Fixture[] = existsSync(folder)
  ? JSON.parse(readFileSync(`${folder}index.json`, 'utf8')).files
  : [];
const reading = (file: string) => parseNvidiaSmi(readFileSync(folder + file, 'utf8'));

const kinds: readonly (readonly [RegExp, string])[] = [
  [/\.xml(\.log)?$/, 'xml'],
  [/\.q\.txt$/, 'text'],
  [/table/, 'table'],
  [/dmon/, 'dmon'],
  [/pmon/, 'pmon'],
  [/compute-apps/, 'query-compute-apps'],
  [/\.csv$/, 'query-gpu'],
  [/list/, 'list'],
  [/version/, 'version'],
  [/^errors/, 'failure'],
];

if (fixtures.length === 0) test.skip('captures of real machines are not here', () => undefined);
else
  test.each(fixtures.map(({ file, expected }) => [file, expected] as const))(
    '%s says what stands in it',
    (file, expected) => {
      const found = reading(file);
      expect(found.kind).toBe(kinds.find(([name]) => name.test(file))![1]);
      expect(asPrinted(found)).toMatchObject(expected ?? {});
      const numbers = found.gpus.flatMap((gpu) => [gpu.memoryTotalMiB, gpu.temperatureCelsius].filter((n) => n === 0));
      expect(numbers).toEqual([]);
    },
  );

if (fixtures.length > 0) {
  test('a machine gives the same figures by every command', () => {
    const machine = 'captures/linux-h100-mig-590.48.01/load';
    const byText = reading(`${machine}.q.txt`).gpus[0]!;
    const byTable = reading(`${machine}.table.txt`);
    const memory = byText.migDevices.map(({ memoryUsedMiB }) => memoryUsedMiB);
    expect(byTable.gpus[0]!.migDevices.map(({ memoryUsedMiB }) => memoryUsedMiB)).toEqual(memory);
    expect(byTable.gpus[0]!.memoryUsedMiB).toBe(byText.memoryUsedMiB);
    expect(reading(`${machine}.query-gpu.csv`).gpus[0]!.memoryUsedMiB).toBe(byText.memoryUsedMiB);
    expect(byTable.processes.map(({ usedMemoryMiB }) => usedMemoryMiB)).toEqual([2296, 1272, 7484]);
  });

  test.each([
    ['errors/command-not-found-bash.txt', 'NotInstalled'],
    ['errors/device-handle-unknown-error.txt', 'DeviceLost'],
    ['errors/driver-library-mismatch.txt', 'DriverLibraryMismatch'],
    ['errors/driver-not-loaded.txt', 'DriverNotLoaded'],
    ['errors/no-devices-found.txt', 'NoDevices'],
    ['errors/oci-exec-not-found.txt', 'NotInstalled'],
    ['table/gpud-525.125.06-err.txt', 'ValueInError'],
  ])('%s is named: %s', (file, reason) => {
    expect(reading(file).problems[0]!.reason).toBe(reason);
  });
}
