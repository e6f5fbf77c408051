// The HTTPS listener with its certificate kept fresh while it runs: from our own authority, or from files.
import {
  createSecretStore,
  ensureCertificates,
  expiryOf,
  type KeyPair,
  type Lifetimes,
  ordinaryLifetimes,
  watchCertificateFiles,
} from '@kubeai/certificates';
import type { Clock, Log, SecureListener } from '@kubeai/daemon';
import type { KubeClient } from '@kubeai/kube';
import { type Instant, seconds } from '@kubeai/units';
import { names } from './names.ts';
import { createBundleKeeper } from './webhook-configurations.ts';

export interface SecureListening {
  readonly listener: SecureListener;
  stop(): void;
}

export interface SecureListeningOptions {
  readonly listen: (pair: KeyPair) => Promise<SecureListener>;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with the end of each certificate that is served. */
  readonly onCertificate: (ends: Instant) => void;
}

/** With a certificate of our own authority, which is kept in the webhook configurations. */
export async function listenWithOwnAuthority(
  options: SecureListeningOptions & {
    readonly client: KubeClient;
    readonly namespace: string;
    readonly serviceName: string;
    readonly lifetimes?: Lifetimes;
  },
): Promise<SecureListening> {
  const { client, clock, log, namespace, serviceName, onCertificate } = options;
  const keeper = createBundleKeeper(client, clock, log);
  const certificates = await ensureCertificates(createSecretStore(client, { namespace, name: names.caSecret }), {
    dnsNames: [`${serviceName}.${namespace}.svc`, `${serviceName}.${namespace}.svc.cluster.local`, serviceName],
    lifetimes: options.lifetimes ?? ordinaryLifetimes,
    clock,
    log,
    // The API server first: it must trust a certificate before it meets it.
    async onChange({ serving, bundle }) {
      await keeper.publish(bundle);
      listener.setCertificate(serving);
      onCertificate(expiryOf(serving.cert));
    },
  });
  const { serving, bundle } = certificates.current();
  const listener = await options.listen(serving);
  onCertificate(expiryOf(serving.cert));
  await keeper.publish(bundle).catch((cause: unknown) => {
    log.warn('Writing the certificate authority failed and will be repeated', { cause });
  });
  return {
    listener,
    stop() {
      certificates.stop();
      keeper.stop();
    },
  };
}

/** With the certificate in `directory`, made and renewed by somebody else, who also tells the API server. */
export async function listenWithFiles(
  options: SecureListeningOptions & { readonly directory: string },
): Promise<SecureListening> {
  const { directory, clock, log, onCertificate } = options;
  const files = await watchCertificateFiles({
    directory,
    every: seconds(10),
    clock,
    log,
    onChange(pair) {
      listener.setCertificate(pair);
      onCertificate(expiryOf(pair.cert));
    },
  });
  const listener = await options.listen(files.current());
  onCertificate(expiryOf(files.current().cert));
  return { listener, stop: () => files.stop() };
}
