// A Kubernetes API server in one process, for machines without a cluster: kubectl, client libraries, webhooks and
// controllers speak to it as to a real one. It is judged by kubectl and by the contract tests that run against a real
// server too; where they differ, the real one is right.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Instant } from '@kubeai/units';
import type { ClusterClient } from '../cluster-client.ts';
import { createAdmission } from './admission.ts';
import { badRequest } from './api-error.ts';
import { createServingCertificate } from './certificates.ts';
import { collectGarbage } from './garbage-collection.ts';
import { keepHouse } from './housekeeping.ts';
import { createHttpHandler } from './http.ts';
import { createInProcessClient } from './in-process-client.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { readVersion } from './missing-fields.ts';
import { createOpenApi } from './openapi.ts';
import { createPipeline } from './pipeline.ts';
import type { PodLogProvider } from './pod-log.ts';
import { createRegistry } from './registry.ts';
import { type ServerLog, silentLog } from './server-log.ts';
import { createStore } from './store.ts';
import { createActions } from './subresources.ts';
import { createTokens } from './tokens.ts';
import { createWebhookCaller } from './webhook-call.ts';

export interface ApiServerOptions {
  /** Tells the time; `createClock()` of @kubeai/daemon fits. */
  readonly clock: { now(): Instant };
  /** Left out: a free port. */
  readonly port?: number | undefined;
  /** The loopback address to listen on; 127.0.0.1 when left out. */
  readonly host?: string | undefined;
  /** The Kubernetes version to be like, `1.36` when left out. */
  readonly version?: string | undefined;
  /** CustomResourceDefinitions that are there from the start. */
  readonly crds?: readonly object[] | undefined;
  readonly log?: ServerLog | undefined;
}

export interface ApiServer {
  readonly url: string;
  /** PEM of the authority behind the server's certificate. */
  readonly authority: string;
  /** A kubeconfig as text. Whoever is named is an administrator: here everyone is. */
  kubeconfig(user?: string): string;
  /** A kubeconfig for a service account's token. */
  kubeconfigFor(token: string, namespace?: string): string;
  /** The same pipeline without sockets. The user is also the field manager of its writes. */
  client(user: string): ClusterClient;
  setPodLogProvider(provider: PodLogProvider): void;
  /** Ends watches and connections, then resolves. */
  stop(): Promise<void>;
}

const noLogs: PodLogProvider = () => {
  throw badRequest('no kubelet is running: this API server knows no logs');
};

/** What GET /version answers. */
function versionDocument({ major, minor, patch }: ReturnType<typeof readVersion>) {
  return {
    major: String(major),
    minor: String(minor),
    gitVersion: `v${major}.${minor}.${patch}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'kubeai-local-cluster',
    platform: 'linux/amd64',
  };
}

/** Resolves when the server listens and its system namespaces, service accounts and CRDs are there. */
export async function startApiServer({
  clock,
  port = 0,
  host = '127.0.0.1',
  version = '1.36',
  crds = [],
  log = silentLog,
}: ApiServerOptions): Promise<ApiServer> {
  const now = () => clock.now();
  const store = createStore();
  const registry = createRegistry();
  const tokens = createTokens(store);
  const webhooks = createWebhookCaller();
  const like = readVersion(version);
  const pipeline = createPipeline({ store, admission: createAdmission(store, webhooks, log), version: like, now });
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  const certificate = await createServingCertificate(names, [...new Set([host, '127.0.0.1', '127.96.0.1'])], now());
  const house = keepHouse(store, registry, pipeline, certificate.authority, now, log);
  const stopCollecting = collectGarbage(store, registry, pipeline, log);
  await house.ready;

  let podLog = noLogs;
  const document = versionDocument(like);
  const handler = createHttpHandler({
    pipeline,
    registry,
    tokens,
    actions: createActions(pipeline, store, tokens, now),
    openApi: createOpenApi(registry, document.gitVersion),
    podLog: () => podLog,
    revision: store.revision,
    now,
    version: document,
    address: () => `${host}:${(server.address() as AddressInfo).port}`,
    log,
  });
  const server = createServer({ cert: certificate.certificate, key: certificate.key }, handler);
  // Clients keep idle connections for 90 s; closing first would race with their next request.
  server.keepAliveTimeout = 120_000;
  server.headersTimeout = 125_000;
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const url = `https://${host}:${(server.address() as AddressInfo).port}`;

  const client = (user: string) => createInProcessClient(pipeline, registry, tokens, now, user, log);
  const system = client('system:apiserver');
  for (const crd of crds)
    await system.create(
      'customresourcedefinitions.apiextensions.k8s.io',
      crd as Parameters<ClusterClient['create']>[1],
    );

  const kubeconfigOf = (user: string, token: string, namespace?: string) =>
    kubeconfigText({ url, authority: certificate.authority, user, token, namespace });
  return {
    url,
    authority: certificate.authority,
    kubeconfig: (user = 'kubernetes-admin') =>
      kubeconfigOf(user, tokens.issueStatic({ username: user, groups: ['system:masters', 'system:authenticated'] })),
    kubeconfigFor: (token, namespace) => kubeconfigOf('service-account', token, namespace),
    client,
    setPodLogProvider(provider) {
      podLog = provider;
    },
    async stop() {
      house.stop();
      stopCollecting();
      webhooks.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
