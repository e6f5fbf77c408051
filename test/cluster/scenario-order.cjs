// The contract first, because everything else stands on it; then from installing to uninstalling.
const { default: Sequencer } = require('@jest/test-sequencer');

const order = [
  'images',
  'install',
  'custom-resource',
  'permissions',
  'quickstart',
  'injection',
  'tokens',
  'prometheus',
  'failures',
  'uninstall',
];
const rank = ({ path }) => order.findIndex((name) => path.endsWith(`/${name}.scenario.ts`));

module.exports = class extends Sequencer {
  sort(tests) {
    return [...tests].sort((one, other) => rank(one) - rank(other));
  }
};
