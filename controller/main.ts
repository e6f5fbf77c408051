// The controller process: takes reports over HTTPS, decides, scales, and shows what it does over HTTP.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createSecretStore, ensureCertificates } from '@kubeai/certificates';
import {
  createClock,
  createHealth,
  createLog,
  exitWith,
  ListenError,
  onShutdown,
  readCommandLine,
  serveHttp,
} from '@kubeai/daemon';
import { createKubeClient, createLeaderElection, loadKubeConfig } from '@kubeai/kube';
import { seconds } from '@kubeai/units';
import { authorityName, createAuthorityPublisher } from './authority-publisher.ts';
import { commandLine } from './config.ts';
import { createController } from './controller.ts';
import { createPages } from './http-pages.ts';
import { createMetrics } from './metrics.ts';
import packageJson from './package.json' with { type: 'json' };
import { policyMetrics } from './policy-view.ts';
import { serveReports } from './report-listener.ts';
import { beginThrift } from './thrift.ts';

beginThrift();
const options = readCommandLine(commandLine, process);
const { host, namespace, serviceName } = options;
const log = createLog({ level: options.logLevel, name: 'controller' });
const clock = createClock();
const kubeConfig = loadKubeConfig({ path: options.kubeconfig, environment: process.env });
if (!kubeConfig.ok) exitWith(process, commandLine.name, kubeConfig.problems);

try {
  const metrics = createMetrics();
  const userAgent = `kubeai-controller/${packageJson.version}`;
  const client = createKubeClient(kubeConfig.value, { clock, userAgent, onCall: metrics.called });
  const controller = await createController({
    client,
    clock,
    log,
    metrics,
    tick: options.tickSeconds,
    journal: options.journal,
    prometheusUrl: options.prometheusUrl,
    gpuBudgets: options.gpuBudgets,
    pluginDirectory: options.pluginDirectory,
  });
  let leading = !options.leaderElect;

  const health = createHealth({
    ready: {
      lists: () => {
        const missing = controller.unsynced();
        return missing === undefined ? undefined : `${missing} not listed yet`;
      },
      // The Service must lead agents to the one who decides.
      leader: () => (leading ? undefined : 'another replica leads'),
    },
  });
  const healthListener = await serveHttp(
    (request, response) => void (health.answer(request, response) || response.writeHead(404).end()),
    { host, port: options.healthPort },
  );
  const pages = createPages({
    policies: controller.policies,
    memories: controller.memories,
    metrics,
    clock,
    isLeader: () => leading,
  });
  const httpListener = await serveHttp(pages.app, { host, port: options.httpPort });

  const publisher = createAuthorityPublisher(client, clock, log);
  const certificates = await ensureCertificates(createSecretStore(client, { namespace, name: authorityName }), {
    dnsNames: [`${serviceName}.${namespace}.svc`, `${serviceName}.${namespace}.svc.cluster.local`, serviceName],
    clock,
    log,
    // Agents must trust a certificate before they meet it.
    async onChange(state) {
      await publisher.publish(state.bundle);
      ingestListener.setIdentity(state);
    },
  });
  const ingestListener = await serveReports(controller.ingest.receive, certificates.current(), {
    clock,
    host,
    port: options.ingestPort,
  });
  publisher.publish(certificates.current().bundle).catch((cause: unknown) => {
    log.warn('Certificate authority could not be published and will be repeated', { cause });
  });

  metrics.watch({
    queueLength: controller.queueLength,
    isLeader: () => leading,
    connections: controller.ingest.connections,
    reports: () => controller.ingest.counts,
    droppedEvents: controller.droppedEvents,
    droppedJournal: controller.droppedJournal,
    repair: controller.repair.summary,
    policies: () => policyMetrics(controller.memories()),
  });
  log.info('Serving', { ingest: ingestListener.url, http: httpListener.url, version: packageJson.version });

  const identity = `${hostname()}_${randomBytes(4).toString('hex')}`;
  const election = createLeaderElection({ client, clock, log, namespace, name: 'kubeai-controller', identity });
  const shutdown = onShutdown(process, { deadline: seconds(25), log }, async () => {
    health.retire();
    pages.stop();
    await controller.stop();
    election.stop();
    await elected;
    certificates.stop();
    publisher.stop();
    await Promise.all([ingestListener, httpListener, healthListener].map((listener) => listener.drain(seconds(2))));
  });
  const elected = options.leaderElect
    ? election.run((lost) => {
        leading = true;
        void controller.start();
        // Whoever has lost the lease may not finish what it began: a fresh process starts from what is true.
        lost.addEventListener('abort', () => shutdown.begin('LeaseLost', 1));
      })
    : controller.start();
  await elected;
} catch (cause) {
  if (cause instanceof ListenError) exitWith(process, commandLine.name, [cause.problem]);
  log.error('The controller could not start', { cause });
  process.exit(1);
}
