// Our sketch beside DDSketch, CPU time each. DDSketch merges faster what is already decoded, but a report arrives encoded.
// Run: `node --import ./scripts/typescript.mjs packages/sketch/bench/speed.ts`.
import { DDSketch } from '@datadog/sketches-js';
import { createSketch } from '../index.ts';

const values = Float64Array.from({ length: 4_096 }, (_, at) => 0.5 * 1.004 ** at);

function nanoseconds(times: number, run: (at: number) => void): number {
  for (let at = 0; at < times / 4; at += 1) run(at);
  const before = process.cpuUsage();
  for (let at = 0; at < times; at += 1) run(at);
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) * 10_000) / times) / 10;
}

const ours = createSketch();
const oursOther = createSketch();
const theirs = new DDSketch({ relativeAccuracy: 0.01 });
const theirsOther = new DDSketch({ relativeAccuracy: 0.01 });
for (const value of values.subarray(1_000, 1_400)) {
  oursOther.record(value);
  theirsOther.accept(value);
}
const encoded = oursOther.encode();

console.log(`record   ours ${nanoseconds(4e6, (at) => ours.record(values[at & 4_095]!))} ns`);
console.log(`record   DDSketch ${nanoseconds(1e6, (at) => theirs.accept(values[at & 4_095]!))} ns`);
console.log(`merge    ours, encoded ${nanoseconds(1e5, () => ours.merge(encoded))} ns`);
console.log(`merge    DDSketch ${nanoseconds(1e5, () => theirs.merge(theirsOther))} ns`);

const second = createSketch();
console.log(
  `encode   ours, a second of four answers ${nanoseconds(1e5, () => {
    second.clear();
    for (const value of [38, 90, 700, 9_000]) second.record(value);
    second.encode();
  })} ns`,
);
