// What `npm run test:cluster` runs: the contract, then the scenarios in their order, one after the other, because they
// share one cluster.
import base from '../../jest.config.mjs';

export default {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/contract/*.test.ts', '<rootDir>/test/cluster/scenarios/*.scenario.ts'],
  testSequencer: '<rootDir>/test/cluster/scenario-order.cjs',
  maxWorkers: 1,
};
