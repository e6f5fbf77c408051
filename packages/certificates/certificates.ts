// Keeps one process in valid certificates: reads the shared authority, moves it on when its time has come, and holds a
// serving certificate signed by it in memory. Every replica runs this; whoever writes first wins and the others follow.
import { hkdfSync, X509Certificate } from 'node:crypto';
import type { Clock, Log } from '@kubeai/daemon';
import { after, elapsed, type Instant, instant } from '@kubeai/units';
import { type Authorities, authoritiesOf, bundleOf, notAfter, secretDataOf, stepOf } from './authority.ts';
import { type Lifetimes, maxConflicts, ordinaryLifetimes } from './limits.ts';
import type { SecretStore } from './secret-store.ts';
import { createAuthority, createServingCertificate, type KeyPair } from './x509.ts';

export interface CertificateState {
  /** What this process serves with. */
  readonly serving: KeyPair;
  /** What its clients must trust: PEM, one to three authorities. */
  readonly bundle: string;
  /** 48 bytes, the same for every replica and after a restart: what `ticketKeys` of node:tls seals sessions with. They come of the
   * authority's key, whose owner could be any replica anyway. */
  readonly ticketKeys: Buffer;
}

export interface CertificateOptions {
  /** Names by which clients reach this process, such as `kubeai-webhook.kubeai-system.svc`. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly lifetimes?: Lifetimes;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Called with each new state after the first, in order; the next check waits for it. The bundle is always announced
   * before anything is signed by its newest authority.
   */
  readonly onChange?: (state: CertificateState) => Promise<void> | void;
}

export interface Certificates {
  current(): CertificateState;
  /** Reads the Secret and renews what is due now instead of at the next check. */
  check(): Promise<void>;
  /** Nothing is announced any more. A check that is under way ends by itself; `check` waits for it. */
  stop(): void;
}

/**
 * Makes sure that there is an authority and a serving certificate, and keeps both renewed until stopped.
 * Rejects when the first state cannot be had (API server away, no permission); later failures are logged and retried.
 */
export async function ensureCertificates(store: SecretStore, options: CertificateOptions): Promise<Certificates> {
  const { clock, log } = options;
  const lifetimes = options.lifetimes ?? ordinaryLifetimes;
  let state = await nextState(store, undefined, options, lifetimes);
  let running: Promise<void> | undefined;
  let stopped = false;

  async function renew(): Promise<void> {
    if (stopped) return;
    try {
      const next = await nextState(store, state, options, lifetimes);
      if (next === state || stopped) return;
      await options.onChange?.(next);
      // Only now: a change that could not be announced is tried again at the next check.
      state = next;
    } catch (cause) {
      log.warn('Renewing certificates failed and will be repeated', { cause });
    }
  }

  const check = (): Promise<void> => {
    running ??= renew().finally(() => {
      running = undefined;
    });
    return running;
  };
  const timer = clock.every(lifetimes.check, () => void check());
  return {
    current: () => state,
    check,
    stop() {
      stopped = true;
      timer.stop();
    },
  };
}

/** The same object when nothing is due. */
async function nextState(
  store: SecretStore,
  state: CertificateState | undefined,
  options: CertificateOptions,
  lifetimes: Lifetimes,
): Promise<CertificateState> {
  const authorities = await advanceAuthorities(store, options, lifetimes);
  const bundle = bundleOf(authorities);
  const now = options.clock.now();
  const keep = state !== undefined && isGood(state.serving, authorities, now, lifetimes);
  if (keep && state.bundle === bundle) return state;
  const serving = keep
    ? state.serving
    : await createServingCertificate(authorities.current, servingRequest(authorities, options, now, lifetimes));
  if (!keep)
    options.log.info('Made a serving certificate', { names: options.dnsNames, notAfter: notAfter(serving.cert) });
  return { serving, bundle, ticketKeys: ticketKeysOf(authorities) };
}

const ticketKeysOf = ({ current }: Authorities): Buffer =>
  Buffer.from(hkdfSync('sha256', current.key, new X509Certificate(current.cert).raw, 'kubeai session tickets', 48));

function isGood(serving: KeyPair, { current }: Authorities, now: Instant, lifetimes: Lifetimes): boolean {
  const certificate = new X509Certificate(serving.cert);
  const authority = new X509Certificate(current.cert);
  const left = elapsed(now, notAfter(serving.cert));
  return left > lifetimes.serving / 3 && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function servingRequest({ current }: Authorities, options: CertificateOptions, now: Instant, lifetimes: Lifetimes) {
  return {
    dnsNames: options.dnsNames,
    ipAddresses: options.ipAddresses ?? [],
    now,
    // It cannot outlive its authority; the authority is replaced an overlap before its own end.
    notAfter: instant(Math.min(after(now, lifetimes.serving), notAfter(current.cert))),
  };
}

/** Reads the authority and takes the steps that are due, until there is none or another replica has taken them. */
async function advanceAuthorities(
  store: SecretStore,
  options: CertificateOptions,
  lifetimes: Lifetimes,
): Promise<Authorities> {
  const { clock, log } = options;
  for (let round = 0; round < maxConflicts; round++) {
    const stored = await store.read();
    const authorities = stored === undefined ? undefined : authoritiesOf(stored.data);
    const step = stepOf(authorities, clock.now(), lifetimes);
    if (step === 'none') return authorities!;
    if (step === 'create' && stored !== undefined) {
      log.warn('The stored certificate authority is expired or unreadable; making a new one');
    }
    const next = await taken(step, authorities, clock.now(), lifetimes);
    const won =
      stored === undefined
        ? await store.create(secretDataOf(next))
        : await store.replace({ ...others(stored.data), ...secretDataOf(next) }, stored.version);
    log.info(won ? 'Moved the certificate authority on' : 'Another replica moved the certificate authority on', {
      step,
    });
  }
  throw new Error(`the Secret of the certificate authority changed under us ${maxConflicts} times`);
}

async function taken(
  step: Exclude<ReturnType<typeof stepOf>, 'none'>,
  authorities: Authorities | undefined,
  now: Instant,
  lifetimes: Lifetimes,
): Promise<Authorities> {
  if (step === 'create' || authorities === undefined)
    return { current: await createAuthority(now, lifetimes.authority) };
  const { current, next, previous } = authorities;
  switch (step) {
    case 'announce':
      return { ...authorities, next: await createAuthority(now, lifetimes.authority) };
    case 'promote':
      return next === undefined ? authorities : { current: next, previous: current.cert };
    case 'forget':
      return previous === undefined ? authorities : { current, ...(next === undefined ? {} : { next }) };
  }
}

const ours = ['ca.crt', 'ca.key', 'next.crt', 'next.key', 'previous.crt'];
/** Keys of the Secret that are not ours stay as they are. */
const others = (data: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(data).filter(([key]) => !ours.includes(key)));
