// Cluster IPs and node ports. Addresses come from 127.96.0.0/16, so that the service proxy can listen on them on a plain
// machine without rights; one that the manifest gives is honoured while it is free.
import { type FieldError, invalidField } from './api-error.ts';
import { isObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import type { Store } from './store.ts';

const services = 'services.';
const addressCount = 65_534;
const firstNodePort = 30_000;
const lastNodePort = 32_767;

const addressOf = (number: number): string => `127.96.${number >> 8}.${number & 255}`;

/**
 * Gives a Service its addresses, in place: those it had before, those it asks for, or the next free ones.
 * Returns what is wrong with those it asks for.
 */
export function assignAddresses(service: KubeObject, previous: KubeObject | undefined, store: Store): FieldError[] {
  const spec = service.spec;
  if (!isObject(spec)) return [];
  if (spec.type === 'ExternalName') {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) delete spec[field];
    return [];
  }
  const others = store.list(services, '').filter((other) => other.metadata.uid !== service.metadata.uid);
  const errors: FieldError[] = [];
  if (!spec.clusterIP) spec.clusterIP = valueAt(previous, 'spec', 'clusterIP');
  const wanted = spec.clusterIP;
  if (wanted === undefined) spec.clusterIP = freeAddress(others, store);
  else if (wanted !== 'None' && others.some((other) => valueAt(other, 'spec', 'clusterIP') === wanted)) {
    errors.push(
      invalidField('spec.clusterIPs', [wanted], `failed to allocate IP ${wanted}: provided IP is already allocated`),
    );
  } else if (wanted !== 'None' && !/^\d{1,3}(\.\d{1,3}){3}$/.test(String(wanted))) {
    errors.push(
      invalidField('spec.clusterIPs[0]', wanted, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
    );
  }
  spec.clusterIPs = [spec.clusterIP];
  spec.ipFamilies = ['IPv4'];
  spec.ipFamilyPolicy = 'SingleStack';
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') assignNodePorts(spec, others);
  return errors;
}

// Several clusters may run on one machine, and the proxy of each listens on its addresses: each hands out its own from
// somewhere else on. The lowest 256 stay free for manifests that name theirs, as a real cluster keeps a band for them.
const firstOfStore = new WeakMap<Store, number>();
const namedBand = 256;

function freeAddress(others: readonly KubeObject[], store: Store): string | undefined {
  const taken = new Set(others.map((other) => valueAt(other, 'spec', 'clusterIP')));
  const count = addressCount - namedBand;
  const first = firstOfStore.get(store) ?? Math.floor(Math.random() * count);
  firstOfStore.set(store, first);
  for (let tried = 0; tried < count; tried += 1) {
    const address = addressOf(namedBand + ((first + tried) % count));
    if (!taken.has(address)) return address;
  }
  return undefined;
}

function assignNodePorts(spec: unknown, others: readonly KubeObject[]): void {
  const taken = new Set(others.flatMap((other) => listAt(other, 'spec', 'ports').map(({ nodePort }) => nodePort)));
  for (const port of listAt(spec, 'ports')) {
    for (let number = firstNodePort; port.nodePort === undefined && number <= lastNodePort; number += 1) {
      if (!taken.has(number)) port.nodePort = number;
    }
    taken.add(port.nodePort);
  }
}
