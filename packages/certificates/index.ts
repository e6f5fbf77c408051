// Our own certificate authority and serving certificates, kept in a Secret and rotated without anybody noticing.

export { notAfter as expiryOf } from './authority.ts';
export { type CertificateFiles, type CertificateFilesOptions, watchCertificateFiles } from './certificate-files.ts';
export {
  type CertificateOptions,
  type CertificateState,
  type Certificates,
  ensureCertificates,
} from './certificates.ts';
export { type Lifetimes, ordinaryLifetimes } from './limits.ts';
export { createSecretStore, type SecretStore, type StoredSecret } from './secret-store.ts';
export type { KeyPair } from './x509.ts';
