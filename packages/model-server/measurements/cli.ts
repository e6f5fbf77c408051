// Derives service-times-table.ts again: node --import ./scripts/typescript.mjs packages/model-server/measurements/cli.ts
// PERF_MODEL.csv[.gz]  (data/perf_model.csv of Mutinifni/splitwise-sim)
import { readFile, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { serviceTimesSource } from './derive.ts';

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error('derive: name the CSV of measurements, plain or .gz');
  process.exit(2);
}
const bytes = await readFile(path);
const csv = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
await writeFile(new URL('service-times-table.ts', import.meta.url), serviceTimesSource(csv));
