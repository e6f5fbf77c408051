import { expect, test } from '@jest/globals';
import { parseNvidiaSmi } from './index.ts';

test('dmon keeps every row, and the newest is the reading', () => {
  const input = `#Date       Time        gpu    pwr  gtemp     sm
#YYYYMMDD   HH:MM:SS    Idx      W      C      %
 20260714   08:12:53      0    100     50     90
 20260714   08:12:53      1     90     51      -
# Date      Time        gpu    pwr  gtemp     sm
 20260714   08:12:54      0    101     52     91
`;
  const reading = parseNvidiaSmi(input);
  expect(reading).toMatchObject({ kind: 'dmon', problems: [], rows: { headerLines: 3 } });
  expect(reading.rows!.cells).toHaveLength(3);
  expect(reading.gpus).toMatchObject([
    { index: 0, powerDrawWatts: 101, temperatureCelsius: 52, utilizationGpuPercent: 91 },
    { index: 1, powerDrawWatts: 90 },
  ]);
  expect(reading.gpus[1]).not.toHaveProperty('utilizationGpuPercent');
});

test('pmon names processes whose commands have blanks and commas, and an idle GPU has none', () => {
  const input = `# gpu         pid   type     sm    mem    command
# Idx           #    C/G      %      %    name
    0        100     C     30      5    NVIDIA Share.exe
    0        101     C      -      5    train --gpus 0,1, 2
    1          -     -      -      -    -
`;
  expect(parseNvidiaSmi(input)).toMatchObject({
    kind: 'pmon',
    processes: [
      { gpu: 0, pid: 100, type: 'C', smPercent: 30, memoryPercent: 5, name: 'NVIDIA Share.exe' },
      { gpu: 0, pid: 101, type: 'C', memoryPercent: 5, name: 'train --gpus 0,1, 2' },
    ],
    gpus: [],
    problems: [],
  });
});

test('lines between the rows of dmon and pmon are no rows, whatever their number of words', () => {
  const dmon =
    '# gpu    pwr     sm\n# Idx      W      %\n    0     90     40\nGPU is lost\n    0     91\n^C\n$ exit now\n';
  const reading = parseNvidiaSmi(dmon);
  expect(reading.gpus).toMatchObject([{ index: 0, powerDrawWatts: 90, utilizationGpuPercent: 40 }]);
  expect(reading.problems.map(({ reason }) => reason)).toEqual(['DeviceLost', 'UnreadableRow']);
  const pmon =
    '# gpu        pid  type   command\n# Idx          #   C/G   name\n    0         71     C   train\nuser@host:~$ # the end\n';
  expect(parseNvidiaSmi(pmon)).toMatchObject({ processes: [{ pid: 71 }], problems: [] });
});

test('comments are no header lines, and rows may be commented out too', () => {
  const { gpus, rows, problems } = parseNvidiaSmi(`#Now look at the GPU
# gpu    pwr
# Idx      W
    0     69
#GPU 0 is the first
#   0     70
`);
  expect(gpus).toMatchObject([{ index: 0, powerDrawWatts: 70 }]);
  expect(rows).toMatchObject({ columns: ['gpu', 'pwr'], headerLines: 2, cells: [{ length: 2 }, { length: 2 }] });
  expect(problems).toEqual([]);
});
