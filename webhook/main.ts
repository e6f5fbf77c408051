// The webhook process: two answers over HTTPS, a certificate that renews itself, health and metrics.
import {
  createClock,
  createHealth,
  createLog,
  exitWith,
  onShutdown,
  readCommandLine,
  serveHttp,
  serveHttps,
} from '@kubeai/daemon';
import { createKubeClient, createReflector, type KubeObject, loadKubeConfig, resources } from '@kubeai/kube';
import { inSeconds, seconds } from '@kubeai/units';
import { commandLine, injectionConfig, version } from './config.ts';
import { nativeSidecarsIn } from './kubernetes-version.ts';
import { drainDeadline, maxConnections, unreadyBefore } from './limits.ts';
import { createLookAround } from './look-around.ts';
import { mutatePod } from './mutate-pods.ts';
import { listenWithFiles, listenWithOwnAuthority, type SecureListeningOptions } from './secure-listener.ts';
import { validatePolicy } from './validate-policies.ts';
import { createWebhookHandler } from './webhook-handler.ts';
import { createWebhookMetrics } from './webhook-metrics.ts';

const options = readCommandLine(commandLine, process);
const log = createLog({ level: options.logLevel, name: 'webhook' });
const clock = createClock();
const kubeConfig = loadKubeConfig({ path: options.kubeconfig, environment: process.env });
if (!kubeConfig.ok) exitWith(process, commandLine.name, kubeConfig.problems);

try {
  const client = createKubeClient(kubeConfig.value, { clock, userAgent: `kubeai-webhook/${version}` });
  const injection = injectionConfig(options, await nativeSidecarsIn(client, options.kubernetesVersion, log));
  const metrics = createWebhookMetrics();
  const namespaces = createReflector<KubeObject>({ client, resource: resources.namespaces, clock, log });
  const lookAround = createLookAround(client, clock, log);

  const handler = createWebhookHandler(
    {
      '/mutate-pods': (review) => {
        const known = namespaces.read({ name: review.namespace });
        const namespace = { name: review.namespace, labels: known && (known.metadata.labels ?? {}) };
        const { response, outcome } = mutatePod(review, namespace, options.namespace, injection);
        metrics.admitted(outcome);
        log.debug('Looked at a pod', { namespace: review.namespace, pod: review.name, ...outcome });
        return response;
      },
      '/validate-policies': (review) => validatePolicy(review, lookAround),
    },
    { metrics, clock, log },
  );

  const health = createHealth({
    ready: { namespaces: () => (namespaces.hasSynced() ? undefined : 'not listed yet') },
  });
  const { host } = options;
  const healthListener = await serveHttp(
    (request, response) => void (health.answer(request, response) || response.writeHead(404).end()),
    { host, port: options.healthPort },
  );
  const metricsListener = await serveHttp(
    (request, response) => void (metrics.answer(request, response) || response.writeHead(404).end()),
    { host, port: options.metricsPort },
  );
  const listening: SecureListeningOptions = {
    listen: (pair) => serveHttps(handler, pair, { host, port: options.port, maxConnections }),
    clock,
    log,
    onCertificate: (ends) => metrics.certificateEnds(ends / 1_000),
  };
  const secure =
    options.certificateDirectory === undefined
      ? await listenWithOwnAuthority({ ...listening, ...options, client })
      : await listenWithFiles({ ...listening, directory: options.certificateDirectory });
  log.info('Serving', { url: secure.listener.url, version, nativeSidecars: injection.nativeSidecars });

  onShutdown(process, { deadline: seconds(inSeconds(unreadyBefore) + inSeconds(drainDeadline) + 5), log }, async () => {
    health.retire();
    await clock.sleep(unreadyBefore);
    await secure.listener.drain(drainDeadline);
    secure.stop();
    namespaces.stop();
    await Promise.all([healthListener.drain(seconds(1)), metricsListener.drain(seconds(1))]);
  });
} catch (cause) {
  log.error('The webhook could not start', { cause });
  process.exit(1);
}
