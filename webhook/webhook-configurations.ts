// Keeps our certificate authority in the two webhook configurations, so that the API server trusts what we serve. Both
// are watched: whoever applies them anew (an upgrade of the chart, a person) takes the authority out, and it goes back.
import type { Clock, Log } from '@kubeai/daemon';
import {
  createReflector,
  isKubeError,
  type KubeClient,
  type KubeObject,
  type Reflector,
  type Resource,
  resources,
} from '@kubeai/kube';
import { bundleRetry } from './limits.ts';
import { names } from './names.ts';

interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: { readonly caBundle?: string } }[];
}

export interface BundleKeeper {
  /** Writes this bundle (PEM) wherever another one stands. Rejects when a write fails; it is repeated by itself. */
  publish(bundle: string): Promise<void>;
  stop(): void;
}

/** The operations that put `bundle` into every webhook that has another one; empty when there is none. */
export function bundlePatch({ webhooks }: WebhookConfiguration, bundle: string): object[] {
  const caBundle = Buffer.from(bundle).toString('base64');
  return (webhooks ?? []).flatMap(({ name, clientConfig }, index) =>
    clientConfig.caBundle === caBundle
      ? []
      : [
          // Somebody may have changed the list since we read it: then this fails and is looked at again.
          { op: 'test', path: `/webhooks/${index}/name`, value: name },
          { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
        ],
  );
}

export function createBundleKeeper(client: KubeClient, clock: Clock, log: Log): BundleKeeper {
  let wanted: string | undefined;

  async function write(resource: Resource, configuration: WebhookConfiguration): Promise<void> {
    if (wanted === undefined) return;
    const patch = bundlePatch(configuration, wanted);
    if (patch.length === 0) return;
    await client.patch(resource, { name: configuration.metadata.name }, patch, {
      kind: 'json',
      fieldManager: 'kubeai-webhook',
    });
    log.info('Wrote the certificate authority into a webhook configuration', { kind: resource.kind });
  }

  const reflect = (resource: Resource): [Resource, Reflector<WebhookConfiguration>] => {
    const reflector = createReflector<WebhookConfiguration>({
      client,
      resource,
      clock,
      log,
      fieldSelector: `metadata.name=${names.webhookConfiguration}`,
    });
    reflector.subscribe({
      upsert(configuration) {
        if (configuration.metadata.name !== names.webhookConfiguration) return;
        write(resource, configuration).catch((cause: unknown) =>
          log.warn('Writing the certificate authority failed', { kind: resource.kind, cause }),
        );
      },
      remove: () => log.warn('The webhook configuration is gone', { kind: resource.kind }),
    });
    return [resource, reflector];
  };
  const reflectors = [reflect(resources.mutatingWebhooks), reflect(resources.validatingWebhooks)];

  /** Reads each configuration as it is now: the reflector's copy may be a moment behind. */
  async function writeAll(): Promise<void> {
    for (const [resource] of reflectors) {
      const configuration = await client.find<WebhookConfiguration>(resource, { name: names.webhookConfiguration });
      if (configuration !== undefined) await write(resource, configuration);
    }
  }

  const retry = clock.every(bundleRetry, () => {
    const behind = reflectors.some(([, reflector]) => {
      const configuration = reflector.read({ name: names.webhookConfiguration });
      return configuration !== undefined && wanted !== undefined && bundlePatch(configuration, wanted).length > 0;
    });
    if (behind)
      writeAll().catch((cause: unknown) =>
        log.warn('Writing the certificate authority failed', { cause, forbidden: isKubeError(cause, 403) }),
      );
  });

  return {
    async publish(bundle) {
      wanted = bundle;
      await writeAll();
    },
    stop() {
      retry.stop();
      for (const [, reflector] of reflectors) reflector.stop();
    },
  };
}
