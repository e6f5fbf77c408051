// Where the API server is and who we are, read by client-node (kubeconfig merging, exec plugins, in-cluster tokens), with
// one difference: connections are kept. As published, client-node opens a TLS connection for every request.
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { delimiter, resolve } from 'node:path';
import type { FieldProblem, Result } from '@kubeai/units';
import { type ConfigOptions, KubeConfig, type RequestContext } from '@kubernetes/client-node';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { parse } from 'yaml';
import { callTimeout, maxConnections, watchSilence } from './limits.ts';

interface UserWithTokenFile {
  readonly name: string;
  readonly user?: { readonly tokenFile?: string };
}

/** client-node's KubeConfig whose requests share one pool, and whose watches have another. */
export class PooledKubeConfig extends KubeConfig {
  #pool: { readonly material: string; readonly calls: Dispatcher; readonly watches: Dispatcher } | undefined;

  /** Also reads `tokenFile`, which client-node knows for service accounts only and otherwise passes over. */
  override loadFromString(text: string, options?: Partial<ConfigOptions>): void {
    super.loadFromString(text, options);
    const { users = [] } = parse(text) as { users?: readonly UserWithTokenFile[] };
    const files = new Map(users.map(({ name, user }) => [name, user?.tokenFile]));
    this.users = this.users.map((user) => {
      const tokenFile = files.get(user.name);
      if (tokenFile === undefined) return user;
      const { token: _token, ...rest } = user;
      return { ...rest, authProvider: { name: 'tokenFile', config: { tokenFile } } };
    });
  }

  override makePathsAbsolute(directory: string): void {
    super.makePathsAbsolute(directory);
    for (const { authProvider } of this.users) {
      const config = authProvider?.config as { tokenFile?: string } | undefined;
      if (config?.tokenFile !== undefined) config.tokenFile = resolve(directory, config.tokenFile);
    }
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    const options: RequestOptions = {};
    await this.applyToHTTPSOptions(options);
    for (const [name, value] of Object.entries(options.headers ?? {})) context.setHeaderParam(name, `${value}`);
    if (typeof options.auth === 'string') {
      context.setHeaderParam('Authorization', `Basic ${Buffer.from(options.auth).toString('base64')}`);
    }
    const pool = this.#poolFor(options);
    // A watch holds its connection for minutes; sixteen of them would starve every other call.
    context.setDispatcher(context.getUrl().includes('watch=true') ? pool.watches : pool.calls);
  }

  /** Closes every connection; calls in flight fail. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await Promise.all([pool?.calls.destroy(), pool?.watches.destroy()]);
  }

  #poolFor(options: RequestOptions) {
    const cluster = this.getCurrentCluster();
    const { ca, cert, key, rejectUnauthorized, servername } = options;
    // The CA file of a service account is replaced when the cluster's CA rotates: new bytes, new pool.
    const material = [cluster?.server, cluster?.proxyUrl, ca, cert, key, rejectUnauthorized, servername].join('\n');
    if (this.#pool?.material === material) return this.#pool;
    const old = this.#pool;
    if (old !== undefined) void Promise.allSettled([old.calls.close(), old.watches.close()]);
    const connect = {
      ...(ca === undefined ? {} : { ca: ca as Buffer }),
      ...(cert === undefined ? {} : { cert: cert as Buffer }),
      ...(key === undefined ? {} : { key: key as Buffer }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
      ...(servername === undefined ? {} : { servername }),
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
    };
    const shared = { connect, keepAliveTimeout: 30_000, headersTimeout: callTimeout };
    const proxy = cluster?.proxyUrl;
    const dispatcher = (more: Agent.Options): Dispatcher =>
      proxy === undefined || proxy === ''
        ? new Agent({ ...shared, ...more })
        : new ProxyAgent({ ...shared, ...more, uri: proxy, requestTls: connect });
    this.#pool = {
      material,
      calls: dispatcher({ connections: maxConnections, bodyTimeout: callTimeout }),
      watches: dispatcher({ bodyTimeout: watchSilence }),
    };
    return this.#pool;
  }
}

export interface KubeConfigSource {
  /** A kubeconfig file; wins over everything else. */
  readonly path?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Finds the API server: `path`, else the files in KUBECONFIG, else the pod's own service account. A problem is one line
 * that names what was read and what to do.
 */
export function loadKubeConfig(source: KubeConfigSource): Result<PooledKubeConfig, FieldProblem> {
  const { path, environment } = source;
  const listed = environment['KUBECONFIG'] || undefined;
  const field = path === undefined ? (listed === undefined ? 'kubeconfig' : 'KUBECONFIG') : '--kubeconfig';
  const refuse = (message: string): Result<PooledKubeConfig, FieldProblem> => ({
    ok: false,
    problems: [{ field, message }],
  });
  const config = new PooledKubeConfig();
  const files = path === undefined ? (listed ?? '').split(delimiter).filter((file) => file !== '') : [path];
  if (files.length === 0) {
    if (!environment['KUBERNETES_SERVICE_HOST']) {
      return refuse('is not given and this is no pod: set KUBECONFIG to a kubeconfig file');
    }
    try {
      config.loadFromCluster();
    } catch (cause) {
      return refuse(`of this pod cannot be read: ${(cause as Error).message}; mount its service account token`);
    }
    return { ok: true, value: config };
  }
  for (const [index, file] of files.entries()) {
    const part = index === 0 ? config : new PooledKubeConfig();
    try {
      readFileSync(file);
    } catch (cause) {
      return refuse(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code}): name an existing kubeconfig`);
    }
    try {
      part.loadFromFile(file);
    } catch (cause) {
      const firstLine = (cause as Error).message.split('\n')[0];
      return refuse(`${file} is no valid kubeconfig: ${firstLine}`);
    }
    if (index > 0) config.mergeConfig(part, true);
  }
  const problem = problemOf(config);
  return problem === undefined ? { ok: true, value: config } : refuse(`${files.join(delimiter)} ${problem}`);
}

function problemOf(config: KubeConfig): string | undefined {
  const context = config.getContextObject(config.getCurrentContext());
  if (context === null) {
    const known = config.getContexts().map(({ name }) => name);
    if (known.length === 0) return 'has no contexts: is it a kubeconfig?';
    return `has no context "${config.getCurrentContext() ?? ''}": set current-context to one of [${known.join(', ')}]`;
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) return `names a cluster "${context.cluster}" that it does not describe`;
  if (config.getCurrentUser() === null) return `names a user "${context.user}" that it does not describe`;
  if (!URL.canParse(cluster.server)) return `has the server "${cluster.server}", which is no URL`;
  // client-node refuses plain HTTP unless told to verify nothing; there is no TLS to verify.
  if (cluster.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true });
  return undefined;
}
