// `npm run vectors -- DIR` runs every decision vector found in a directory, each as a check of its own.
// Exit code 0: all passed; 1: some failed; 2: there is nothing to run.
import { onOutputLost } from '@kubeai/daemon';
import { checkVector } from './check-vector.ts';
import { readVectors } from './vector-file.ts';

onOutputLost(process, 'vectors');
const [directory, ...rest] = process.argv.slice(2);
if (directory === '-h' || directory === '--help') {
  console.log(`Usage: npm run vectors -- DIR

Runs every decision vector of the files in DIR, such as test/conformance/vectors.
Exit code: 0, all passed; 1, some failed; 2, there is nothing to run.`);
  process.exit(0);
}
if (directory === undefined || rest.length > 0) {
  console.error(
    'DIR: name one directory that holds files of vectors, as in `npm run vectors -- test/conformance/vectors`',
  );
  process.exit(2);
}
const files = readVectors(directory);
if (!files.ok) {
  for (const { field, message } of files.problems) console.error(`${field}: ${message}`);
  process.exit(2);
}
let passed = 0;
let failed = 0;
for (const { name, cases } of files.value) {
  for (const each of cases) {
    const verdict = checkVector(each);
    if (verdict.passed) {
      passed += 1;
      console.log(`ok   ${name} ${each.kind} ${each.id}`);
      continue;
    }
    failed += 1;
    console.log(`FAIL ${name} ${each.kind} ${each.id}: ${verdict.why}`);
    console.log(`       expected ${verdict.expected}`);
    console.log(`       got      ${verdict.got}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
