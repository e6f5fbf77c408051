// Serving certificates that somebody else makes (cert-manager, a person) and mounts as files. A Secret mount swaps a
// symbolic link, which file watchers miss, so the files are read again every few seconds.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Log } from '@kubeai/daemon';
import type { Milliseconds } from '@kubeai/units';
import type { KeyPair } from './x509.ts';

export interface CertificateFilesOptions {
  /** Holds `tls.crt` and `tls.key`. */
  readonly directory: string;
  readonly every: Milliseconds;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: (serving: KeyPair) => void;
}

export interface CertificateFiles {
  current(): KeyPair;
  stop(): void;
}

/** Reads the files now and whenever they have changed. Rejects with one line when they cannot be used at the start. */
export async function watchCertificateFiles(options: CertificateFilesOptions): Promise<CertificateFiles> {
  const { directory, every, clock, log, onChange } = options;
  let current = await readPair(directory);
  const timer = clock.every(every, () => {
    readPair(directory).then(
      (pair) => {
        if (pair.cert === current.cert && pair.key === current.key) return;
        current = pair;
        onChange(pair);
        log.info('Took new certificate files', { directory });
      },
      // Between the two writes of a renewal the pair does not match; the next look finds it whole.
      (cause: unknown) => log.warn('Kept the old certificate: the files cannot be used', { directory, cause }),
    );
  });
  return { current: () => current, stop: () => timer.stop() };
}

async function readPair(directory: string): Promise<KeyPair> {
  const read = (file: string) => readFile(join(directory, file), 'utf8');
  const [cert, key] = await Promise.all([read('tls.crt'), read('tls.key')]);
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error(`${join(directory, 'tls.key')} is not the key of tls.crt`);
  }
  return { cert, key };
}
