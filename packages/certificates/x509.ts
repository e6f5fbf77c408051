// Making certificates: EC P-256 by @peculiar/x509, because node:crypto can read certificates but not write them.
// The library is loaded on first use only: with certificates from cert-manager or a file it is never needed.
import { webcrypto } from 'node:crypto';
import { after, before, type Instant, type Milliseconds } from '@kubeai/units';
import { clockSkew } from './limits.ts';

/** PEM text of a certificate and its private key (PKCS #8). */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

async function library() {
  await import('reflect-metadata'); // must stand before x509, which throws on import without it
  return await import('@peculiar/x509');
}

const serialNumber = () => Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)).fill(0x40, 0, 1)).toString('hex');

/** A new certificate authority that may sign serving certificates and nothing below them. */
export async function createAuthority(now: Instant, lifetime: Milliseconds): Promise<KeyPair> {
  const x509 = await library();
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const serial = serialNumber();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial,
      // The serial in the name keeps two authorities of an overlap apart for every verifier.
      name: `CN=kubeai-ca ${serial.slice(0, 8)}`,
      notBefore: new Date(before(now, clockSkew)),
      notAfter: new Date(after(now, lifetime)),
      keys: keys as never,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
      ],
    },
    webcrypto as never,
  );
  return { cert: pem(certificate.toString('pem')), key: await exportKey(keys.privateKey) };
}

export interface ServingRequest {
  /** Names that clients verify, the service's own first. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly now: Instant;
  readonly notAfter: Instant;
}

/** A serving certificate signed by `authority`. */
export async function createServingCertificate(authority: KeyPair, request: ServingRequest): Promise<KeyPair> {
  const x509 = await library();
  const issuer = new x509.X509Certificate(authority.cert);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', derOf(authority.key), algorithm, false, ['sign']);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const names = [
    ...request.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...(request.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      // A common name holds 64 characters; verifiers read the alternative names anyway.
      subject: `CN=${(request.dnsNames[0] ?? 'kubeai').slice(0, 64)}`,
      issuer: issuer.subject,
      notBefore: new Date(before(request.now, clockSkew)),
      notAfter: new Date(request.notAfter),
      publicKey: keys.publicKey as never,
      signingKey: signingKey as never,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto as never),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
      ],
    },
    webcrypto as never,
  );
  return { cert: pem(certificate.toString('pem')), key: await exportKey(keys.privateKey) };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

const derOf = (key: string) => Buffer.from(key.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const pem = (text: string) => `${text.trim()}\n`;
