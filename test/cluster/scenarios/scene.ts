// What the scenarios share: kubectl as users have it, patience for conditions, and traffic that keeps count.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** Of a cluster that we started ourselves: where its processes can be found and hurt. */
export const clusterDirectory = process.env['KUBEAI_CLUSTER_DIRECTORY'] || undefined;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [field: string]: unknown;
}

/** Runs a program from the repository; never throws for an exit code. */
export function runHere(program: string, words: readonly string[], input?: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd: repository, maxBuffer: 2 ** 26, timeout: 300_000 };
    const child = execFile(program, words, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr: stderr || (code === 0 ? '' : (error?.message ?? '')) });
    });
    child.stdin?.end(input ?? '');
  });
}

/** Runs kubectl; objects are its standard input. */
export const tryKubectl = (words: readonly string[], ...objects: readonly object[]): Promise<Outcome> =>
  runHere(
    'kubectl',
    words,
    objects.length === 0 ? '' : JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  );

/** Runs a kubectl that must succeed; returns what it printed. */
export async function kubectl(words: readonly string[], ...objects: readonly object[]): Promise<string> {
  const { code, stdout, stderr } = await tryKubectl(words, ...objects);
  if (code !== 0) throw new Error(`kubectl ${words.join(' ')}: ${stderr.trim()}`);
  return stdout.trim();
}

export const apply = (...objects: readonly object[]): Promise<string> => kubectl(['apply', '-f', '-'], ...objects);

export async function get<Item = Record<string, never>>(...words: readonly string[]): Promise<Item> {
  return JSON.parse(await kubectl(['get', ...words, '-o', 'json'])) as Item;
}

/** Asks until the answer is something; throws with the last failure when patience ends. */
export async function eventually<Value>(
  what: string,
  seconds: number,
  ask: () => Promise<Value | undefined | false>,
): Promise<Value> {
  const deadline = Date.now() + seconds * 1_000;
  let last: unknown = 'it never came';
  while (Date.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (cause) {
      last = cause;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error(`${what}: not after ${seconds} s (${last instanceof Error ? last.message : String(last)})`);
}

export const available = (namespace: string, deployment: string): Promise<string> =>
  kubectl(['rollout', 'status', '-n', namespace, `deployment/${deployment}`, '--timeout=180s']);

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Record<string, string>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly initContainers?: readonly { readonly name: string; readonly restartPolicy?: string }[];
    readonly containers: readonly { readonly name: string }[];
  };
  readonly status: {
    readonly podIP?: string;
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly state?: { readonly running?: { readonly startedAt: string } };
}

export async function podsOf(namespace: string, selector: string): Promise<readonly Pod[]> {
  const { items } = await get<{ items: readonly Pod[] }>('pods', '-n', namespace, '-l', selector);
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

export const isReady = ({ status }: Pod): boolean =>
  status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;

export const hasAgent = ({ spec }: Pod): boolean =>
  [...(spec.initContainers ?? []), ...spec.containers].some(({ name }) => name === 'kubeai-agent');

export async function serviceUrl(namespace: string, name: string): Promise<string> {
  const { spec } = await get<{ spec: { clusterIP: string; ports: readonly { port: number }[] } }>(
    'service',
    '-n',
    namespace,
    name,
  );
  return `http://${spec.clusterIP}:${spec.ports[0]?.port}`;
}

export interface Workload {
  readonly namespace: string;
  readonly name: string;
  /** Of the Service: by name unless said otherwise. */
  readonly targetPort?: string | number;
  readonly replicas?: number;
  readonly annotations?: Record<string, string>;
  /** What Pod Security `restricted` asks for. */
  readonly restricted?: boolean;
  /** How long the model loads. */
  readonly startupSeconds?: number;
}

/** A model server and its Service, as a team would write them. */
export function workload({
  namespace,
  name,
  targetPort = 'http',
  replicas,
  annotations,
  restricted,
  startupSeconds = 1,
}: Workload): Manifest[] {
  const security = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    runAsUser: 65_532,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: {
        ...(replicas === undefined ? {} : { replicas }),
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name }, ...(annotations === undefined ? {} : { annotations }) },
          spec: {
            containers: [
              {
                name: 'model',
                image: 'kubeai/model-server:dev',
                args: [
                  '--model',
                  'llama2-70b',
                  '--gpu',
                  'h100',
                  '--max-batch',
                  '32',
                  '--startup-seconds',
                  `${startupSeconds}`,
                ],
                ports: [{ name: 'http', containerPort: 8_000 }],
                readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 1 },
                ...(restricted ? { securityContext: security } : {}),
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort }] },
    },
  ];
}

export const namespaceOf = (name: string, labels: Record<string, string> = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'kubeai.io/injection': 'enabled', ...labels } },
});

export const policyOf = (namespace: string, name: string, spec: object): Manifest => ({
  apiVersion: 'kubeai.io/v1alpha1',
  kind: 'AIInferenceAutoscalerPolicy',
  metadata: { name, namespace },
  spec: { targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, ...spec },
});

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One completion on a connection of its own, so that every request is balanced anew. */
export function complete(
  url: string,
  tokens: number,
  stream = false,
  onChunk: (text: string) => void = () => undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: tokens, stream });
    const sent = request(
      `${url}/v1/chat/completions`,
      { method: 'POST', agent: false, headers: { 'content-type': 'application/json' }, timeout: 60_000 },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          onChunk(chunk);
        });
        response.once('error', reject);
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.once('timeout', () => sent.destroy(new Error('no answer within 60 s')));
    sent.once('error', reject);
    sent.end(body);
  });
}

/** The URL of a Service, once it answers: the node learns of new endpoints a moment after they are ready. */
export async function reachable(namespace: string, name: string): Promise<string> {
  const url = await serviceUrl(namespace, name);
  await eventually(`${url} answers`, 30, async () => (await fetch(`${url}/v1/models`)).ok);
  return url;
}

export interface Traffic {
  /** Requests answered 200 so far. */
  served(): number;
  /** Ends it; every request that was not answered 200 is told. */
  stop(): Promise<{ readonly served: number; readonly failures: readonly string[] }>;
}

/** Short requests, four a second, until stopped. */
export function startTraffic(url: string): Traffic {
  const failures: string[] = [];
  const open = new Set<Promise<void>>();
  let served = 0;
  const timer = setInterval(() => {
    const at = new Date().toISOString();
    const one = complete(url, 4).then(
      ({ status, text }) => {
        if (status === 200) served += 1;
        else failures.push(`${at} ${status} ${text.slice(0, 200)}`);
      },
      (cause: Error) => void failures.push(`${at} ${cause.message}`),
    );
    open.add(one);
    void one.finally(() => open.delete(one));
  }, 250);
  return {
    served: () => served,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return { served, failures };
    },
  };
}

const page = () => readFile(join(repository, 'docs/install.md'), 'utf8');
const blocksIn = (section: string) => [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]!);

/** The headings of docs/install.md under which there are commands to be followed. */
export async function chapters(): Promise<string[]> {
  const sections = (await page()).split(/^## /m).slice(1);
  return sections.filter((section) => blocksIn(section).length > 0).map((section) => section.split('\n')[0]!);
}

/** The shell blocks under a heading of docs/install.md, as users read them. */
export async function instructions(heading: string): Promise<string[]> {
  const section = (await page()).split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`docs/install.md has no section ${heading}`);
  return blocksIn(section);
}

/** Runs a block of commands to its end; throws with what it said when one of them fails. */
export async function follow(block: string): Promise<string> {
  const { code, stdout, stderr } = await runHere('bash', ['-euc', block]);
  if (code !== 0) throw new Error(`${block}\nended with ${code}: ${stderr.trim()}\n${stdout.trim()}`);
  return stdout;
}

/** Requests that a pod's agent has counted as load: whatever nobody waits for, probes above all, is left out. */
export async function requestsCounted({ status }: Pod): Promise<number> {
  const page = await (await fetch(`http://${status.podIP}:15020/metrics`)).text();
  const counters = page.split('\n').filter((line) => line.startsWith('kubeai_requests_total{'));
  const load = counters.filter((line) => !/route="(?:probe|metadata)"/.test(line));
  return load.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
