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
import { createKubeClient, loadKubeConfig } from '@kubeai/kube';
import { inSeconds, seconds } from '@kubeai/units';
import { commandLine, injectionConfig, version } from './config.ts';
import { nativeSidecarsIn } from './kubernetes-version.ts';
import { drainDeadline, maxConnections, unreadyBefore } from './limits.ts';
import { listenWithFiles, listenWithOwnAuthority, type SecureListeningOptions } from './secure-listener.ts';
import { createWebhookAnswers } from './webhook-answers.ts';
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
  const answers = createWebhookAnswers({
    client,
    clock,
    log,
    injection,
    ownNamespace: options.namespace,
    onPod: metrics.admitted,
  });
  const handler = createWebhookHandler(answers.answers, { metrics, clock, log });
  const health = createHealth({ ready: { answers: answers.unready } });
  const { host } = options;
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
  // Only now: whoever is told that we are ready must find us.
  const healthListener = await serveHttp(
    (request, response) => void (health.answer(request, response) || response.writeHead(404).end()),
    { host, port: options.healthPort },
  );
  const metricsListener = await serveHttp(
    (request, response) => void (metrics.answer(request, response) || response.writeHead(404).end()),
    { host, port: options.metricsPort },
  );
  log.info('Serving', { url: secure.listener.url, version, nativeSidecars: injection.nativeSidecars });

  onShutdown(process, { deadline: seconds(inSeconds(unreadyBefore) + inSeconds(drainDeadline) + 5), log }, async () => {
    health.retire();
    await clock.sleep(unreadyBefore);
    await secure.listener.drain(drainDeadline);
    secure.stop();
    answers.stop();
    await Promise.all([healthListener.drain(seconds(1)), metricsListener.drain(seconds(1))]);
  });
} catch (cause) {
  log.error('The webhook could not start', { cause });
  process.stderr.write(`${commandLine.name}: ${(cause as Error).message}\n`);
  // A port that is taken is the caller's to change; an API server that is away will come back.
  process.exit(isListenProblem(cause) ? 2 : 1);
}

function isListenProblem(thrown: unknown): boolean {
  const { code } = ((thrown as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL';
}
