// Asks Prometheus for the metrics of policies that name it: each policy at its own interval and with its own deadline, all
// together with bounded concurrency. An outage, an error or a strange answer is a state of the metric, never a zero.
import type { Clock, Log } from '@kubeai/daemon';
import type { ExternalSample, MissingCause } from '@kubeai/decision';
import { type KubeClient, type KubeObject, resources } from '@kubeai/kube';
import type { MetricTarget, Policy, SecretKey, PrometheusSource as Settings } from '@kubeai/policy';
import { type Instant, milliseconds } from '@kubeai/units';
import { Agent, request } from 'undici';
import { limits } from './limits.ts';
import { queryOf, sampleOf } from './prometheus-query.ts';

export interface PrometheusSourceOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  /** For policies that name none. */
  readonly url: string | undefined;
  /** Takes an answer, or why there is none, for a policy's metric. */
  readonly deliver: (key: string, sample: ExternalSample, receivedAt: Instant) => void;
}

export interface PrometheusSource {
  /**
   * Asks for this policy's metrics from now on; the same policy again changes nothing.
   * @param pods names of the pods that serve
   */
  follow(key: string, policy: Policy, pods: () => readonly string[]): void;
  unfollow(key: string): void;
  stop(): void;
}

interface Followed {
  readonly policy: Policy;
  readonly stopped: AbortController;
}

/** What a policy's Secrets hold, read for one round of queries. */
interface Access {
  readonly authorization?: string;
  readonly ca?: string;
}

/** Thrown where a query cannot even be sent. */
class Unusable extends Error {
  override readonly name = 'Unusable';
}

export function createPrometheusSource(options: PrometheusSourceOptions): PrometheusSource {
  const { client, clock, log } = options;
  const followed = new Map<string, Followed>();
  const inTurn = createTurnstile(limits.queries);

  async function readSecret(namespace: string, { name, key }: SecretKey): Promise<string> {
    const secret = await client.read<KubeObject & { data?: Record<string, string> }>(resources.secrets, {
      namespace,
      name,
    });
    const text = secret.data?.[key];
    if (text === undefined) throw new Unusable(`the Secret ${name} has no key ${key}`);
    return Buffer.from(text, 'base64').toString('utf8').trim();
  }

  async function readAccess(namespace: string, settings: Settings): Promise<Access> {
    const { bearerToken, basicAuth, certificateAuthority } = settings;
    const read = (of: SecretKey) => readSecret(namespace, of);
    const ca = certificateAuthority === undefined ? {} : { ca: await read(certificateAuthority) };
    if (bearerToken !== undefined) return { ...ca, authorization: `Bearer ${await read(bearerToken)}` };
    if (basicAuth === undefined) return ca;
    const credentials = `${await read(basicAuth.username)}:${await read(basicAuth.password)}`;
    return { ...ca, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
  }

  async function ask(key: string, metric: MetricTarget, query: string, settings: Settings, pool: Pool): Promise<void> {
    const sample = await inTurn(async (): Promise<ExternalSample> => {
      try {
        const answer = await fetchAnswer(settings, query, pool, options.url);
        return sampleOf(metric.name, answer, clock.now());
      } catch (cause) {
        log.debug('Query of a metric failed', { policy: key, metric: metric.name, cause });
        return { kind: 'missing', name: metric.name, cause: causeOf(cause) };
      }
    });
    options.deliver(key, sample, clock.now());
  }

  async function round(key: string, policy: Policy, pods: readonly string[], pools: Pools): Promise<void> {
    const { prometheus: settings, namespace } = policy;
    const queries = policy.metrics.flatMap((metric) => {
      const query = queryOf(metric, { namespace, pods, every: settings.interval });
      return query === undefined ? [] : [{ metric, query }];
    });
    if (queries.length === 0) return;
    try {
      const pool = pools.with(await readAccess(namespace, settings));
      await Promise.all(queries.map(({ metric, query }) => ask(key, metric, query, settings, pool)));
    } catch (cause) {
      log.warn('Prometheus cannot be asked', { policy: key, cause });
      for (const { metric } of queries) {
        options.deliver(key, { kind: 'missing', name: metric.name, cause: 'Refused' }, clock.now());
      }
    }
  }

  async function repeat(key: string, { policy, stopped }: Followed, pods: () => readonly string[]): Promise<void> {
    const pools = createPools();
    // Policies that were all found at once do not ask all at once for ever after.
    let wait = milliseconds(policy.prometheus.interval * (0.5 + Math.random() / 2));
    while (!stopped.signal.aborted) {
      await round(key, policy, pods(), pools);
      await clock.sleep(wait, stopped.signal);
      wait = policy.prometheus.interval;
    }
    await pools.close();
  }

  const unfollow = (key: string) => {
    followed.get(key)?.stopped.abort();
    followed.delete(key);
  };

  return {
    follow(key, policy, pods) {
      if (followed.get(key)?.policy === policy) return;
      unfollow(key);
      if (
        policy.metrics.every(
          ({ source, prometheusQuery }) => source === 'agents' || (source === 'auto' && prometheusQuery === undefined),
        )
      )
        return;
      const entry = { policy, stopped: new AbortController() };
      followed.set(key, entry);
      repeat(key, entry, pods).catch((cause: unknown) => log.error('Asking Prometheus ended', { policy: key, cause }));
    },
    unfollow,
    stop() {
      for (const key of [...followed.keys()]) unfollow(key);
    },
  };
}

interface Pool {
  readonly access: Access;
  readonly agent: Agent;
}

interface Pools {
  /** Connections that trust this authority; kept while it stays the same. */
  with(access: Access): Pool;
  close(): Promise<void>;
}

function createPools(): Pools {
  let agent: Agent | undefined;
  let authority: string | undefined;
  return {
    with(access) {
      if (agent === undefined || access.ca !== authority) {
        void agent?.close();
        authority = access.ca;
        agent = new Agent({ connections: 4, connect: access.ca === undefined ? {} : { ca: access.ca } });
      }
      return { access, agent };
    },
    close: async () => await agent?.close(),
  };
}

async function fetchAnswer(settings: Settings, query: string, pool: Pool, url: string | undefined): Promise<unknown> {
  const base = settings.url ?? url;
  if (base === undefined) throw new Unusable('neither the policy nor the controller names a Prometheus');
  const { access, agent } = pool;
  const response = await request(`${base.replace(/\/+$/, '')}/api/v1/query`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(access.authorization === undefined ? {} : { authorization: access.authorization }),
    },
    body: new URLSearchParams({ query, timeout: `${settings.timeout}ms` }).toString(),
    dispatcher: agent,
    signal: AbortSignal.timeout(settings.timeout),
  });
  let text = '';
  for await (const chunk of response.body.setEncoding('utf8')) {
    text += chunk;
    if (text.length > limits.queryBytes) {
      response.body.destroy();
      throw new Unusable('the answer is longer than any number');
    }
  }
  if (response.statusCode !== 200) throw new Unusable(`${response.statusCode}: ${text.slice(0, 200)}`);
  return JSON.parse(text);
}

function causeOf(cause: unknown): MissingCause {
  if (cause instanceof Unusable || cause instanceof SyntaxError) return 'Refused';
  return (cause as { readonly name?: string }).name === 'TimeoutError' ? 'Timeout' : 'Unreachable';
}

/** Lets so many through at once; the others wait in the order in which they came. */
function createTurnstile(width: number): <Value>(work: () => Promise<Value>) => Promise<Value> {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return async (work) => {
    if (inside >= width) await new Promise<void>((resolve) => waiting.push(resolve));
    inside += 1;
    try {
      return await work();
    } finally {
      inside -= 1;
      waiting.shift()?.();
    }
  };
}
