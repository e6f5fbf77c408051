// Tests run on the sources: swc strips the types, Node's ES modules do the rest (hence --experimental-vm-modules in
// the npm script). Imports name their file with .ts, so no module mapping is needed.
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  testPathIgnorePatterns: ['/node_modules/', '/.build/'],
  modulePathIgnorePatterns: ['/.build/'],
  coverageProvider: 'v8',
  reporters: ['default', '<rootDir>/test/closing-line.mjs'],
};
