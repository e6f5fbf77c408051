// Tests run on the sources: swc strips the types, Node's ES modules do the rest (hence --experimental-vm-modules in
// the npm script). Imports name their file with .ts, so no module mapping is needed.
import { availableParallelism } from 'node:os';

export default {
  testEnvironment: 'node',
  // Whole systems spend their time waiting for processes to start; on two cores jest would run one file at a time.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  // Nothing is measured by it: a machine with two busy cores takes several times as long as an idle one, and a test that
  // waits for what never comes is told apart well enough after two minutes.
  testTimeout: 120_000,
  testPathIgnorePatterns: ['/node_modules/', '/.build/'],
  modulePathIgnorePatterns: ['/.build/'],
  coverageProvider: 'v8',
  setupFiles: ['<rootDir>/test/property-seed.mjs'],
  reporters: ['default', '<rootDir>/test/closing-line.mjs'],
};
