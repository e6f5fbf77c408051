import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { seconds } from '@kubeai/units';
import { parse } from 'yaml';
import { type LocalCluster, plainImages, startLocalCluster } from './index.ts';
import { eventually, isAlive, linesOf, type Rehearsal, rehearse, shellPid, speaker } from './testing/rehearsal.ts';
import {
  type Container,
  conditionOf,
  type Deployment,
  type EndpointSlice,
  isReady,
  type KubeObject,
  type Service,
} from './workloads/objects.ts';

// Every wait inside has its own, shorter patience and says what it waited for.

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

let cluster: LocalCluster;
let stage: Rehearsal;
let count = 0;
let namespace: string;

beforeAll(async () => {
  cluster = await startLocalCluster({
    images: plainImages,
    nodes: [{ name: 'local', gpus: 1 }],
    firstRestartWait: seconds(0.05),
  });
});
afterAll(() => cluster.stop());
beforeEach(async () => {
  count += 1;
  namespace = `stage-${count}`;
  stage = await rehearse(cluster.client, namespace);
});
afterEach(() => stage.end());

const isGone = (name: string) =>
  eventually(
    () => stage.read(name),
    (pod) => pod === undefined,
  );
const becomesReady = (name: string) =>
  eventually(
    () => stage.read(name),
    (pod) => pod !== undefined && isReady(pod),
  );

async function eventsAbout(name: string): Promise<string[]> {
  type Event = KubeObject & { reason: string; message: string; involvedObject: { name: string } };
  const { items } = await cluster.client.list<Event>('events', { namespace });
  return items
    .filter((event) => event.involvedObject.name === name)
    .map(({ reason, message }) => `${reason}: ${message}`);
}

test('init containers run in order, sidecars start before the main container and end after it', async () => {
  const started = { exec: { command: ['sh', '-c', 'test -e $OUT/go'] }, periodSeconds: 1, failureThreshold: 99 };
  await stage.pod('ordered', {
    initContainers: [
      { name: 'first', image: 'busybox', command: ['sh', '-c', 'echo first runs >> /out/lines'] },
      speaker('side', { restartPolicy: 'Always', startupProbe: started }),
      { name: 'second', image: 'busybox', command: ['sh', '-c', 'echo second runs >> /out/lines'] },
      speaker('later', { restartPolicy: 'Always' }),
    ],
    containers: [speaker('main')],
  });
  const held = await eventually(
    () => stage.read('ordered'),
    (pod) => pod?.status?.initContainerStatuses?.[1]?.state?.running !== undefined,
  );
  expect(conditionOf(held?.status?.conditions, 'Initialized')?.message).toBe(
    'containers with incomplete status: [side second later]',
  );
  await writeFile(join(stage.path, 'go'), '');
  await becomesReady('ordered');
  await eventually(
    () => stage.lines(),
    (lines) => lines.includes('main starts'),
  );
  await stage.remove('ordered');
  await isGone('ordered');
  expect(await stage.lines()).toEqual([
    'first runs',
    'side starts',
    'second runs',
    'later starts',
    'main starts',
    'main ends',
    'later ends',
    'side ends',
  ]);
});

test('a container that is killed is started again, and its status tells of both runs', async () => {
  await stage.pod('fragile', {
    containers: [
      { name: 'main', image: 'busybox', command: ['sh', '-c', `echo ${shellPid} >> $OUT/lines; sleep 1000`] },
    ],
  });
  const [first] = await eventually(
    () => stage.lines(),
    (lines) => lines.length === 1,
  );
  process.kill(Number(first), 'SIGKILL');
  const status = await eventually(
    () => stage.status('fragile', 'main'),
    (one) => one?.restartCount === 1 && one.state?.running !== undefined,
  );
  expect(status?.lastState?.terminated).toMatchObject({ exitCode: 137, signal: 9, reason: 'Error' });
  await eventually(
    () => stage.lines(),
    (lines) => lines.length === 2,
  );
});

test('a sidecar that ends is started again without touching the others', async () => {
  await stage.pod('beside', {
    initContainers: [
      {
        name: 'side',
        image: 'busybox',
        restartPolicy: 'Always',
        command: [
          'sh',
          '-c',
          'echo side >> $OUT/lines; while test ! -e $OUT/stop; do sleep 0.05; done; rm $OUT/stop; exit 3',
        ],
      },
    ],
    containers: [speaker('main')],
  });
  await becomesReady('beside');
  await writeFile(join(stage.path, 'stop'), '');
  const side = await eventually(
    () => stage.status('beside', 'side'),
    (status) => status?.restartCount === 1 && status.state?.running !== undefined,
  );
  expect(side?.lastState?.terminated?.exitCode).toBe(3);
  expect(await stage.status('beside', 'main')).toMatchObject({ restartCount: 0, ready: true });
});

test.each<[string, Container, string, RegExp, RegExp]>([
  [
    'an unknown image',
    { name: 'main', image: 'nginx:1.27' },
    'ImagePullBackOff',
    /no process of this machine stands in for the image "nginx"/,
    /^Failed: Failed to pull image "nginx:1.27"/,
  ],
  [
    'a command that is not there',
    { name: 'main', image: 'busybox', command: ['no-such-program'] },
    'CrashLoopBackOff',
    /exec: "no-such-program": executable file not found in \$PATH/,
    /^Failed: Error: .*no-such-program/,
  ],
  [
    'a missing ConfigMap',
    {
      name: 'main',
      image: 'busybox',
      env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'none', key: 'x' } } }],
    },
    'CreateContainerConfigError',
    /configmap "none" not found/,
    /^Failed: Error: configmap "none" not found/,
  ],
  [
    'a program that fails',
    { name: 'main', image: 'busybox', command: ['sh', '-c', 'exit 7'] },
    'CrashLoopBackOff',
    /"exitCode":7,"reason":"Error"/,
    /^BackOff: Back-off restarting failed container main/,
  ],
])('%s shows in the status and in an event', async (_case, container, reason, told, event) => {
  await stage.pod('wrong', { containers: [container] });
  const status = await eventually(
    () => stage.status('wrong', 'main'),
    (one) => one?.state?.waiting?.reason === reason,
  );
  expect(JSON.stringify(status)).toMatch(new RegExp(told.source.replaceAll('"', '\\\\?"')));
  await eventually(
    () => eventsAbout('wrong'),
    (events) => events.some((text) => event.test(text)),
  );
});

test('a pod that does not fit says why, and is placed when there is room', async () => {
  const gpu: Container = speaker('main', { resources: { limits: { 'nvidia.com/gpu': 1 } } });
  await stage.pod('one', { containers: [gpu] });
  await becomesReady('one');
  await stage.pod('two', { containers: [gpu] });
  const waiting = await eventually(
    () => stage.read('two'),
    (pod) => conditionOf(pod?.status?.conditions, 'PodScheduled')?.reason === 'Unschedulable',
  );
  expect(conditionOf(waiting?.status?.conditions, 'PodScheduled')?.message).toMatch(/1 Insufficient nvidia.com\/gpu/);
  await stage.remove('one');
  await becomesReady('two');
});

test('deletion waits for preStop before it asks the program to end', async () => {
  const waits = 'echo hook >> $OUT/lines; while test ! -e $OUT/go; do sleep 0.05; done; echo hook done >> $OUT/lines';
  await stage.pod('polite', {
    containers: [speaker('main', { lifecycle: { preStop: { exec: { command: ['sh', '-c', waits] } } } })],
  });
  await becomesReady('polite');
  await eventually(
    () => stage.lines(),
    (lines) => lines.includes('main starts'),
  );
  await stage.remove('polite');
  await eventually(
    () => stage.lines(),
    (lines) => lines.includes('hook'),
  );
  const leaving = await stage.read('polite');
  expect([leaving?.metadata.deletionTimestamp !== undefined, leaving?.status?.phase]).toEqual([true, 'Running']);
  await writeFile(join(stage.path, 'go'), '');
  await isGone('polite');
  expect(await stage.lines()).toEqual(['main starts', 'hook', 'hook done', 'main ends']);
});

test('a program that does not end is killed when its grace is over', async () => {
  await stage.pod('deaf', {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'busybox',
        command: ['sh', '-c', `trap "" TERM; echo ${shellPid} >> $OUT/lines; while :; do sleep 0.05; done`],
      },
    ],
  });
  const [pid] = await eventually(
    () => stage.lines(),
    (lines) => lines.length === 1,
  );
  await stage.remove('deaf');
  await isGone('deaf');
  expect(await isAlive(Number(pid))).toBe(false);
});

const web = `
const { createServer } = require('node:http');
const { existsSync } = require('node:fs');
const server = createServer((request, response) => {
  if (request.url !== '/stream') return response.end(process.env.VERSION);
  response.write('begins');
  const timer = setInterval(() => {
    if (!existsSync(process.env.OUT + '/go')) return;
    clearInterval(timer);
    response.end(' ends');
  }, 20);
});
server.listen(8080, process.env.POD_IP);
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
`;

const webContainer = (version: string): Container => ({
  name: 'web',
  image: 'node:20',
  command: ['node', '-e', web],
  env: [{ name: 'VERSION', value: version }],
  ports: [{ name: 'http', containerPort: 8080 }],
  readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
});

/** Makes the Service `web` for pods labelled app=web, and returns its address. */
async function webService(): Promise<string> {
  const service = {
    metadata: { name: 'web', namespace },
    spec: { selector: { app: 'web' }, ports: [{ port: 8000, targetPort: 'http' }] },
  };
  const { spec } = await cluster.client.create<Service>('services', service);
  return spec.clusterIP ?? '';
}

async function endpointsOf(service: string) {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  const { items } = await cluster.client.list<EndpointSlice>('endpointslices.discovery.k8s.io', {
    namespace,
    labelSelector,
  });
  return items.flatMap(({ endpoints }) => endpoints);
}

/** The answer's text so far, growing; `done` rejects when the connection breaks. */
function get(host: string, path: string): { text: () => string; done: Promise<string> } {
  let text = '';
  const done = new Promise<string>((resolve, reject) => {
    const outgoing = request({ host, port: 8000, path, agent: false }, (answer) => {
      answer.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
      answer.once('end', () => resolve(text));
      answer.once('error', reject);
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
  return { text: () => text, done };
}

test('a stream goes on while its pod is deleted, and no new connection reaches that pod', async () => {
  const host = await webService();
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'old', namespace, labels: { app: 'web' } } };
  const spec = {
    volumes: [{ name: 'out', hostPath: { path: stage.path } }],
    containers: [
      {
        ...webContainer('old'),
        env: [
          { name: 'VERSION', value: 'old' },
          { name: 'OUT', value: '/out' },
        ],
        volumeMounts: [{ name: 'out', mountPath: '/out' }],
      },
    ],
  };
  await cluster.client.create('pods', { ...pod, spec } as KubeObject);
  await eventually(
    () => endpointsOf('web'),
    ([endpoint]) => endpoint?.conditions?.ready === true,
  );
  // The proxy hears of an endpoint when we do, or a moment later.
  await eventually(
    () => get(host, '/').done.catch(() => undefined),
    (answer) => answer === 'old',
  );
  const stream = get(host, '/stream');
  await eventually(
    async () => stream.text(),
    (text) => text === 'begins',
  );
  await stage.remove('old');
  await eventually(
    () => endpointsOf('web'),
    ([endpoint]) => endpoint?.conditions?.terminating === true && endpoint.conditions.ready === false,
  );
  // The program has closed its door by now or is about to; the proxy has nobody else to ask and resets.
  await eventually(
    () =>
      get(host, '/').done.then(
        () => 'answered',
        (cause: NodeJS.ErrnoException) => cause.code,
      ),
    (outcome) => outcome === 'ECONNRESET',
  );
  expect(stream.text()).toBe('begins');
  await writeFile(join(stage.path, 'go'), '');
  expect(await stream.done).toBe('begins ends');
  await isGone('old');
});

test('a Service answers every request while its Deployment is updated', async () => {
  const host = await webService();
  const deployment = (version: string) => ({
    metadata: { name: 'web', namespace },
    spec: {
      replicas: 2,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        // Without a moment between leaving the Service and closing its door a pod resets who is just arriving, as in any
        // cluster.
        spec: { containers: [{ ...webContainer(version), lifecycle: { preStop: { sleep: { seconds: 1 } } } }] },
      },
    },
  });
  const isRolledOut = () =>
    eventually(
      () => cluster.client.read<Deployment>('deployments.apps', { name: 'web', namespace }),
      ({ metadata, status }) =>
        status?.observedGeneration === metadata.generation &&
        status?.updatedReplicas === 2 &&
        status.availableReplicas === 2 &&
        status.replicas === 2,
    );
  await cluster.client.create('deployments.apps', deployment('old'));
  await isRolledOut();
  const answers = new Map<string, number>();
  let isOver = false;
  const load = (async () => {
    while (!isOver) {
      const answer = await get(host, '/').done.catch((cause: NodeJS.ErrnoException) => `failed: ${cause.code}`);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  })();
  await cluster.client.update('deployments.apps', deployment('new'));
  await isRolledOut();
  isOver = true;
  await load;
  expect([...answers.keys()].sort()).toEqual(['new', 'old']);
  const { metadata } = await cluster.client.read('deployments.apps', { name: 'web', namespace });
  expect(metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2');
});

/** What `kubectl logs` prints. */
async function logOf(pod: string): Promise<string> {
  const config = parse(await readFile(cluster.kubeconfigPath, 'utf8'));
  const ca = Buffer.from(config.clusters[0].cluster['certificate-authority-data'], 'base64');
  const headers = { authorization: `Bearer ${config.users[0].user.token}` };
  const url = `${cluster.url}/api/v1/namespaces/${namespace}/pods/${pod}/log?container=main`;
  return new Promise((resolve, reject) => {
    requestSecurely(url, { ca, headers }, (answer) => text(answer).then(resolve, reject))
      .once('error', reject)
      .end();
  });
}

test('a pod that may end does: its sidecar is stopped, its phase is final and its log stays', async () => {
  await stage.pod('job', {
    restartPolicy: 'Never',
    initContainers: [speaker('side', { restartPolicy: 'Always' })],
    containers: [
      {
        name: 'main',
        image: 'busybox',
        command: ['sh', '-c', 'until grep -q side $OUT/lines; do sleep 0.05; done; echo all done'],
      },
    ],
  });
  const pod = await eventually(
    () => stage.read('job'),
    (one) => one?.status?.phase === 'Succeeded',
  );
  expect(conditionOf(pod?.status?.conditions, 'Ready')?.reason).toBe('PodCompleted');
  expect(await stage.lines()).toEqual(['side starts', 'side ends']);
  expect(await logOf('job')).toBe('all done\n');
});

test('a pod reaches the API server by its kubeconfig, and sees a ConfigMap change', async () => {
  const script = `
const { readFileSync, appendFileSync } = require('node:fs');
const https = require('node:https');
const config = readFileSync(process.env.KUBECONFIG, 'utf8');
const value = (name) => new RegExp(name + ': (.*)').exec(config)[1];
const ca = readFileSync(value('certificate-authority'));
const headers = { authorization: 'Bearer ' + readFileSync(value('tokenFile'), 'utf8') };
https.get(value('server') + '/api/v1/namespaces/' + value('namespace'), { ca, headers }, (answer) => {
  appendFileSync(process.env.OUT + '/lines', 'status ' + answer.statusCode + '\\n');
  answer.resume();
});
let last;
setInterval(() => {
  const now = readFileSync(process.argv[1] + '/color', 'utf8');
  if (now !== last) appendFileSync(process.env.OUT + '/lines', 'color ' + now + '\\n');
  last = now;
}, 20);
`;
  const map = (color: string) => ({ metadata: { name: 'paint', namespace }, data: { color } });
  await cluster.client.create('configmaps', map('red'));
  await stage.pod('reader', {
    volumes: [{ name: 'paint', configMap: { name: 'paint' } }],
    containers: [
      {
        name: 'main',
        image: 'node',
        args: ['-e', script, '/etc/paint'],
        volumeMounts: [{ name: 'paint', mountPath: '/etc/paint' }],
      },
    ],
  });
  await eventually(
    () => stage.lines(),
    (lines) => lines.includes('status 200') && lines.includes('color red'),
  );
  await cluster.client.update('configmaps', map('blue'));
  await eventually(
    () => stage.lines(),
    (lines) => lines.at(-1) === 'color blue',
  );
});

test.each(['SIGKILL', 'SIGTERM'] as const)('no process of a pod outlives a cluster that gets %s', async (signal) => {
  const directory = await mkdtemp(join(tmpdir(), 'orphans-'));
  const program = join(repository, 'packages/local-cluster/testing/cluster-process.ts');
  const child = spawn(process.execPath, ['--import', join(repository, 'scripts/typescript.mjs'), program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const pids = await eventually(
    () => Promise.all(['self', 'child'].map(async (name) => Number((await linesOf(directory, name))[0] ?? 0))),
    (found) => found.every((pid) => pid > 0),
  );
  expect(await Promise.all(pids.map(isAlive))).toEqual([true, true]);
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
  await eventually(
    () => Promise.all(pids.map(isAlive)),
    (alive) => alive.every((one) => !one),
  );
  await rm(directory, { recursive: true });
});

test('nothing runs and nothing is left on the disk after stop', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stopped-'));
  const own = await startLocalCluster({ images: plainImages, directory });
  const other = await rehearse(own.client, 'stopped');
  await other.pod('busy', {
    containers: [speaker('main', { command: ['sh', '-c', 'sleep 1000 & echo $! > $OUT/lines; wait'] })],
  });
  const [pid] = await eventually(
    () => other.lines(),
    (lines) => lines.length === 1,
  );
  await own.stop();
  await own.stop();
  expect(await isAlive(Number(pid))).toBe(false);
  await rm(directory, { recursive: true });
  await rm(other.path, { recursive: true });
});
