// The life of our certificate authority, as data: what the Secret holds, and the one next step that time asks for.
// An authority is trusted for a while before it signs (`next`) and for a while after (`previous`), so that at no moment
// a verifier meets a certificate whose authority it does not know yet, or no longer.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { after, elapsed, type Instant, instant } from '@kubeai/units';
import { clockSkew, type Lifetimes } from './limits.ts';
import type { KeyPair } from './x509.ts';

export interface Authorities {
  /** Signs. */
  readonly current: KeyPair;
  /** Trusted already, signs later. */
  readonly next?: KeyPair;
  /** Trusted still, has stopped signing. Its key is gone. */
  readonly previous?: string;
}

/** The texts of a Secret, decoded. */
export type SecretData = Readonly<Record<string, string>>;

export type Step = 'create' | 'announce' | 'promote' | 'forget' | 'none';

export const notAfter = (cert: string): Instant => instant(Date.parse(new X509Certificate(cert).validTo));

const notBefore = (cert: string): Instant => instant(Date.parse(new X509Certificate(cert).validFrom));

/**
 * The next thing to do. `create`: there is no usable authority. `announce`: add the next one to the bundle. `promote`: it
 * has been known for the overlap and signs from now on. `forget`: the previous one has expired.
 */
export function stepOf(authorities: Authorities | undefined, now: Instant, lifetimes: Lifetimes): Step {
  if (authorities === undefined) return 'create';
  const left = elapsed(now, notAfter(authorities.current.cert));
  if (left <= 0) return authorities.next === undefined ? 'create' : 'promote';
  if (authorities.next === undefined) {
    if (left <= 2 * lifetimes.overlap) return 'announce';
  } else {
    const announced = after(notBefore(authorities.next.cert), clockSkew);
    if (elapsed(announced, now) >= lifetimes.overlap) return 'promote';
  }
  if (authorities.previous !== undefined && notAfter(authorities.previous) <= now) return 'forget';
  return 'none';
}

/** Everything to be trusted now, as one PEM text; the signing authority first. */
export const bundleOf = ({ current, next, previous }: Authorities): string =>
  [current.cert, next?.cert ?? '', previous ?? ''].join('');

export function secretDataOf({ current, next, previous }: Authorities): SecretData {
  return {
    'ca.crt': current.cert,
    'ca.key': current.key,
    ...(next === undefined ? {} : { 'next.crt': next.cert, 'next.key': next.key }),
    ...(previous === undefined ? {} : { 'previous.crt': previous }),
  };
}

/** What the Secret holds, or undefined when its authority cannot sign. A broken `next` or `previous` is left out. */
export function authoritiesOf(data: SecretData): Authorities | undefined {
  const current = keyPairOf(data['ca.crt'], data['ca.key']);
  if (current === undefined) return undefined;
  const next = keyPairOf(data['next.crt'], data['next.key']);
  const previous = data['previous.crt'];
  return {
    current,
    ...(next === undefined ? {} : { next }),
    ...(previous !== undefined && isCertificate(previous) ? { previous } : {}),
  };
}

function keyPairOf(cert: string | undefined, key: string | undefined): KeyPair | undefined {
  if (cert === undefined || key === undefined) return undefined;
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) ? { cert, key } : undefined;
  } catch {
    return undefined; // node:crypto throws on text that is no PEM, which is what we ask it to find out
  }
}

function isCertificate(text: string): boolean {
  try {
    new X509Certificate(text);
    return true;
  } catch {
    return false; // as above
  }
}
