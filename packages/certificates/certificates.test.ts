import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { expect, test } from '@jest/globals';
import { createLog, createManualClock, type ManualClock } from '@kubeai/daemon';
import { instant, milliseconds, minutes } from '@kubeai/units';
import { authoritiesOf, type SecretData } from './authority.ts';
import { type CertificateState, ensureCertificates, type Lifetimes, type SecretStore } from './index.ts';

const days = (value: number) => minutes(value * 24 * 60);
const start = instant(Date.parse('2026-01-01T00:00:00Z'));
const log = createLog({ level: 'silent', name: 'test' });
const lifetimes: Lifetimes = { authority: days(90), overlap: days(12), serving: days(9), check: days(1) };

/** A Secret with the API server's rule: a write that names an old version loses. */
function createMemoryStore(initial?: SecretData): SecretStore & { data(): SecretData | undefined; writes(): number } {
  let stored = initial === undefined ? undefined : { version: '1', data: initial };
  let writes = 0;
  return {
    read: async () => stored,
    async create(data) {
      if (stored !== undefined) return false;
      writes++;
      stored = { version: '1', data };
      return true;
    },
    async replace(data, version) {
      if (stored?.version !== version) return false;
      writes++;
      stored = { version: String(Number(version) + 1), data };
      return true;
    },
    data: () => stored?.data,
    writes: () => writes,
  };
}

const replica = (store: SecretStore, clock: ManualClock, more: object = {}) =>
  ensureCertificates(store, { dnsNames: ['kubeai-webhook.kubeai-system.svc'], clock, log, lifetimes, ...more });

const certificatesOf = (pem: string) =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (text) => new X509Certificate(text),
  );

/** Whether a client that trusts `bundle` accepts what `state` serves at this moment. */
function accepts(bundle: string, { serving }: CertificateState, now: number): boolean {
  const leaf = new X509Certificate(serving.cert);
  const valid = (certificate: X509Certificate) =>
    Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo);
  return (
    valid(leaf) &&
    leaf.checkPrivateKey(createPrivateKey(serving.key)) &&
    certificatesOf(bundle).some((ca) => valid(ca) && leaf.checkIssued(ca) && leaf.verify(ca.publicKey))
  );
}

test('a real TLS client accepts the serving certificate by its name, and no other name', async () => {
  const certificates = await ensureCertificates(createMemoryStore(), {
    dnsNames: ['kubeai-webhook.kubeai-system.svc'],
    ipAddresses: ['127.0.0.1'],
    clock: createManualClock(instant(Date.now())),
    log,
  });
  const { serving, bundle } = certificates.current();
  const server = createServer(serving);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const handshake = (servername: string) =>
    new Promise<string>((resolve) => {
      const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca: bundle, servername }, () => {
        resolve(`authorized ${socket.authorized}`);
        socket.destroy();
      });
      socket.on('error', (cause) => resolve((cause as NodeJS.ErrnoException).code ?? cause.message));
    });
  try {
    expect(await handshake('kubeai-webhook.kubeai-system.svc')).toBe('authorized true');
    expect(await handshake('kubernetes.default.svc')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  } finally {
    server.close();
    certificates.stop();
  }
});

test('replicas that start at once agree on one authority, and seal sessions alike', async () => {
  const store = createMemoryStore();
  const clock = createManualClock(start);
  const replicas = await Promise.all([1, 2, 3].map(() => replica(store, clock)));
  const bundles = new Set(replicas.map((each) => each.current().bundle));
  const ticketKeys = new Set(replicas.map((each) => each.current().ticketKeys.toString('hex')));
  expect({ bundles: bundles.size, writes: store.writes(), ticketKeys: ticketKeys.size }).toEqual({
    bundles: 1,
    writes: 1,
    ticketKeys: 1,
  });
  const stranger = await replica(createMemoryStore(), clock);
  expect(ticketKeys.has(stranger.current().ticketKeys.toString('hex'))).toBe(false);
  for (const each of [...replicas, stranger]) each.stop();
});

test('over a year, no client meets a certificate that it does not trust', async () => {
  const store = createMemoryStore();
  const clock = createManualClock(start);
  // Each replica checks at its own time of day, so they see every change at different moments.
  const replicas = [await replica(store, clock)];
  await clock.advance(milliseconds(days(1) / 3));
  replicas.push(await replica(store, clock));
  const refused: string[] = [];
  const authorities = new Set<string>();
  let slowBundle = replicas[0]!.current().bundle;
  for (let half = 0; half < 365 * 2; half++) {
    await clock.advance(milliseconds(days(1) / 2));
    for (const each of replicas) await each.check();
    // This client reads the bundle once in five days only; the overlap is made for such.
    if (half % 10 === 0) slowBundle = replicas[0]!.current().bundle;
    const bundles = new Set([replicas[0]!.current().bundle, replicas[1]!.current().bundle, slowBundle]);
    for (const bundle of bundles) {
      for (const each of replicas) {
        if (!accepts(bundle, each.current(), clock.now())) refused.push(new Date(clock.now()).toISOString());
      }
    }
    authorities.add(store.data()!['ca.crt']!);
  }
  expect(refused).toEqual([]);
  expect(authorities.size).toBeGreaterThanOrEqual(4);
  expect(certificatesOf(replicas[0]!.current().bundle).length).toBeLessThanOrEqual(3);
  for (const each of replicas) each.stop();
});

test('the bundle names a new authority an overlap before anything is signed by it', async () => {
  const store = createMemoryStore();
  const clock = createManualClock(start);
  const seen: CertificateState[] = [];
  const each = await replica(store, clock, { onChange: (state: CertificateState) => void seen.push(state) });
  const first = certificatesOf(each.current().bundle)[0]!;
  let announcedAt = 0;
  let signedAt = 0;
  for (let day = 1; day <= 90 && signedAt === 0; day++) {
    await clock.advance(days(1));
    await each.check();
    const { bundle, serving } = each.current();
    if (announcedAt === 0 && certificatesOf(bundle).length === 2) announcedAt = day;
    if (!new X509Certificate(serving.cert).checkIssued(first)) signedAt = day;
  }
  expect({ announcedAt, signedAt }).toEqual({ announcedAt: 66, signedAt: 78 });
  expect(seen.length).toBeGreaterThan(0);
  each.stop();
});

test('a change that could not be announced is tried again before it is used', async () => {
  const store = createMemoryStore();
  const clock = createManualClock(start);
  let failures = 2;
  const announced: CertificateState[] = [];
  const each = await replica(store, clock, {
    onChange(state: CertificateState) {
      if (failures-- > 0) throw new Error('the API server is away');
      announced.push(state);
    },
  });
  const before = each.current();
  for (let day = 0; day < 7; day++) await clock.advance(days(1)); // past two thirds of nine days
  await each.check();
  await each.check();
  await each.check();
  expect(announced.length).toBeGreaterThan(0);
  expect(announced.at(-1)).toBe(each.current());
  expect(each.current().serving.cert).not.toBe(before.serving.cert);
  each.stop();
});

test.each<[string, SecretData]>([
  ['empty', {}],
  ['no PEM', { 'ca.crt': 'x', 'ca.key': 'y' }],
  ['no key', { 'ca.crt': '-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n' }],
])('an unusable Secret (%s) is replaced, and what others keep in it stays', async (_name, broken) => {
  const store = createMemoryStore({ ...broken, 'their.key': 'theirs' });
  const each = await replica(store, createManualClock(start));
  expect(authoritiesOf(store.data()!)).toBeDefined();
  expect(store.data()).toMatchObject({ 'their.key': 'theirs' });
  each.stop();
});

test('an API server that is away at a renewal costs nothing but a log line', async () => {
  const store = createMemoryStore();
  const clock = createManualClock(start);
  let away = false;
  const flaky: SecretStore = {
    ...store,
    read: () => (away ? Promise.reject(new Error('connection refused')) : store.read()),
  };
  const each = await replica(flaky, clock);
  const before = each.current();
  away = true;
  await clock.advance(days(7));
  await each.check();
  expect(each.current()).toBe(before);
  away = false;
  await each.check();
  expect(each.current().serving.cert).not.toBe(before.serving.cert);
  each.stop();
});

test('a store that is always overtaken is given up on, with a sentence', async () => {
  const store = createMemoryStore();
  await expect(replica({ ...store, create: async () => false }, createManualClock(start))).rejects.toThrow(
    /changed under us/,
  );
});
