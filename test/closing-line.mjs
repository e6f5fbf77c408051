// The last line of every test run, in plain words, for people and for machines: `N passed, N failed`.
export default class ClosingLine {
  onRunComplete(_contexts, results) {
    const skipped = results.numPendingTests > 0 ? `, ${results.numPendingTests} skipped` : '';
    const broken = results.testResults.filter((file) => file.testExecError !== undefined).length;
    console.log(`\n${results.numPassedTests} passed, ${results.numFailedTests + broken} failed${skipped}`);
  }
}
