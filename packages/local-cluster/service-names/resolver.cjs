// Loaded into Node programs that run as containers of the local cluster: names of Services are looked up in its file
// before anybody is asked. The file is read at each look-up, so a Service is known as soon as it exists.
const dns = require('node:dns');
const { readFileSync } = require('node:fs');

const file = process.env.LOCAL_CLUSTER_SERVICE_NAMES;
const { lookup } = dns;

dns.lookup = function lookupService(hostname, ...rest) {
  const [options, done] = rest.length === 1 ? [{}, rest[0]] : rest;
  const address = /\.svc(\.cluster\.local)?\.?$/.test(hostname) ? addressOf(hostname.replace(/\.$/, '')) : undefined;
  if (address === undefined) return lookup(hostname, ...rest);
  const all = typeof options === 'object' && options !== null && options.all === true;
  process.nextTick(() => (all ? done(null, [{ address, family: 4 }]) : done(null, address, 4)));
  return {};
};

function addressOf(hostname) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))[hostname];
  } catch {
    return undefined; // the cluster is gone: the system's own resolver gives the answer, or the error
  }
}
