// Debian's Prometheus scrapes the agents of a running system, as a PodMonitor would have it do, and a policy scales by
// what it answers. Beside it a policy recommends by the agents' own reports: the two must agree. Then Prometheus stops,
// hangs and lies.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type KubeObject, resources } from '@kubeai/kube';
import { parseTrace, replay } from '@kubeai/load';
import { clock, type System, startSystem } from './system.ts';

interface View {
  readonly name: string;
  readonly replicas: { readonly current: number; readonly recommended: number };
  readonly signals: readonly {
    readonly name: string;
    readonly state: string;
    readonly text: string;
    readonly value?: number;
  }[];
}

interface Deployment extends KubeObject {
  readonly spec: { readonly replicas: number };
}

const program = findProgram('prometheus');
// Without it the name of the test says why nothing was tested.
const withPrometheus = program === undefined ? test.skip : test;
const missing = program === undefined ? ' (skipped: no prometheus; apt-get install prometheus)' : '';

const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
let system: System;
let prometheus: ChildProcess;
// An address of this process alone, so that the port is free, and still is after a restart.
const prometheusUrl = `http://127.81.${(process.pid >> 8) & 255}.${process.pid & 255}:9090`;
let door: Door;
const load = new AbortController();
let loaded: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  if (program === undefined) return;
  system = await startSystem(['namespace', 'model-server']);
  door = await openDoor();
  prometheus = startPrometheus();
});

afterAll(async () => {
  load.abort();
  await loaded;
  prometheus?.kill('SIGKILL');
  await door?.close();
  await system?.cluster.stop();
  rmSync(folder, { recursive: true });
});

withPrometheus(
  `scales by Prometheus as by the agents, and not at all while it stops, hangs or lies${missing}`,
  async () => {
    await applyPolicy('by-prometheus', 'Active', 'prometheus');
    await applyPolicy('by-agents', 'Recommend', 'agents');
    // Requests that take nine seconds each: 23 or more at once, which eight a replica makes three, and so does what is left of
    // them when a busy machine scrapes one of three too late.
    loaded = sendLoad(2.6);

    await system.until('the target has grown and both policies are content with it', async () => {
      const { byPrometheus, byAgents } = await look();
      const { current } = byPrometheus.replicas;
      return (
        current >= needed &&
        [byPrometheus, byAgents].every(
          ({ replicas, signals }) =>
            replicas.recommended === current && signals.every(({ state }) => state === 'value'),
        )
      );
    });
    for (let round = 0; round < 5; round += 1) {
      door.count();
      await system.until('both know their signals after another round', async () => {
        if (door.answered() < metrics) return false;
        const { byPrometheus, byAgents } = await look();
        if (byPrometheus.signals.some(({ state }) => state !== 'value')) return false;
        expect(Math.abs(byPrometheus.replicas.recommended - byAgents.replicas.recommended)).toBeLessThanOrEqual(1);
        return true;
      });
    }

    for (const { fault, begin, end, text } of faults) {
      // What the load needs and not what there was: a busy machine buys a replica too many, and may give it back now.
      const untouched = async () => {
        const now = await replicas();
        expect(now).toBeGreaterThanOrEqual(needed);
        expect(now).toBeLessThan(maxReplicas); // which a number that is believed would ask for
      };
      begin();
      await system.until(`${fault} shows as "${text}"`, async () => {
        await untouched();
        return (await look()).byPrometheus.signals.every((signal) => signal.text.endsWith(text));
      });
      // A whole round more: nothing but the lost signals keeps this policy from shrinking.
      door.count();
      await system.until(`${fault} lasts`, () => door.asked() >= metrics);
      await untouched();
      await end();
      door.count();
      let answeredInVain = 0;
      await system.until(`the signals are back after ${fault}`, async () => {
        const answered = door.answered();
        if ((await look()).byPrometheus.signals.every(({ state }) => state === 'value')) return true;
        answeredInVain = answered;
        return false;
      });
      // The first answer to each question is enough, but the controller looks once a second.
      expect(answeredInVain).toBeLessThanOrEqual(3 * metrics);
    }

    // The same target shrinks when Prometheus says, in good order, that nothing is asked for.
    const size = await replicas();
    door.lie('0', 0);
    await system.until('the target shrinks', async () => (await replicas()) < size);
  },
  240_000,
);

/** Of each policy. */
const metrics = 2;
/** Far from what the load needs, even where a starved machine answers at half the pace and more pile up. */
const maxReplicas = 12;
/** More than sixteen requests at once, eight a replica. */
const needed = 3;

interface Fault {
  readonly fault: string;
  /** How each signal ends in words. */
  readonly text: string;
  begin(): void;
  end(): Promise<void> | void;
}

const lie = (fault: string, text: string, value: string, secondsAhead = 0): Fault => ({
  fault,
  text,
  begin: () => door.lie(value, secondsAhead),
  end: () => door.open(),
});

const faults: readonly Fault[] = [
  {
    fault: 'a Prometheus that hangs',
    text: 'the source did not answer in time',
    begin: () => void prometheus.kill('SIGSTOP'),
    end: () => void prometheus.kill('SIGCONT'),
  },
  {
    fault: 'a Prometheus that was killed',
    text: 'the source did not answer',
    begin: () => void prometheus.kill('SIGKILL'),
    async end() {
      prometheus = startPrometheus();
      await system.until('Prometheus is ready again', isPrometheusReady);
    },
  },
  {
    fault: 'an answer that comes too late',
    text: 'the source did not answer in time',
    begin: () => door.hold(),
    end: () => door.open(),
  },
  lie('NaN', 'the source answered NaN', 'NaN'),
  lie('an absurd number', 'the source answered an infinite, negative or absurd number', '1e300'),
  // Nought would shrink the target if it were believed.
  lie('a sample of tomorrow', 'the sample is from the future', '0', 86_400),
];

interface Door {
  open(): void;
  hold(): void;
  lie(value: string, secondsAhead: number): void;
  /** Begins to count anew. */
  count(): void;
  asked(): number;
  answered(): number;
  readonly url: string;
  close(): Promise<void>;
}

/** The way to Prometheus: it lets questions through, holds them, or answers with something else. */
async function openDoor(): Promise<Door> {
  let answer: (request: IncomingMessage, response: ServerResponse) => Promise<void> | void = pass;
  let asked = 0;
  let answered = 0;

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    try {
      const { method = 'GET', headers, url } = request;
      const body = Buffer.concat(await request.toArray());
      const { 'content-type': type = '' } = headers;
      const given = await fetch(`${prometheusUrl}${url}`, {
        method,
        body,
        headers: { 'content-type': type },
        signal: gone.signal,
      });
      response.writeHead(given.status).end(await given.text());
      answered += 1;
    } catch {
      response.destroy(); // Prometheus is away, and so is its answer
    }
  }

  const server: Server = createServer((request, response) => {
    if (request.url === '/targets') return void tellTargets(response);
    asked += 1;
    void answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open() {
      answer = pass;
    },
    hold() {
      answer = () => undefined;
    },
    lie(value, secondsAhead) {
      answer = (_request, response) => {
        const sample = { metric: {}, value: [clock.now() / 1_000 + secondsAhead, value] };
        response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [sample] } }));
      };
    },
    count() {
      asked = 0;
      answered = 0;
    },
    asked: () => asked,
    answered: () => answered,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Every agent's page, with the labels that a PodMonitor gives. */
async function tellTargets(response: ServerResponse): Promise<void> {
  const pods = await system.podsOf('quickstart', 'app=chat');
  const targets = pods.flatMap(({ metadata: { namespace, name }, status }) =>
    status?.podIP === undefined
      ? []
      : [{ targets: [`${status.podIP}:15020`], labels: { namespace, pod: name, container: 'kubeai-agent' } }],
  );
  response.setHeader('content-type', 'application/json').end(JSON.stringify(targets));
}

const applyPolicy = (name: string, mode: string, source: string) =>
  system.client.create(resources.policies, {
    metadata: { namespace: 'quickstart', name },
    spec: {
      targetRef: { kind: 'Deployment', name: 'chat' },
      maxReplicas,
      mode,
      metrics: {
        timeToFirstToken: { targetP95Ms: 5_000, source },
        concurrency: { targetPerReplica: 8, source },
      },
      cooldownPeriod: 0,
      scaleDown: { stabilizationWindowSeconds: 0 },
      prometheus: { url: door.url, intervalSeconds: 1, timeoutSeconds: 0.8 },
    },
  } as KubeObject);

async function sendLoad(perSecond: number): Promise<void> {
  const lines = Array.from({ length: 300 * perSecond }, (_, at) => `${at / perSecond},200,300`);
  const trace = parseTrace(`TIMESTAMP,ContextTokens,GeneratedTokens\n${lines.join('\n')}\n`);
  if (!trace.ok) throw new Error(JSON.stringify(trace.problems));
  await replay(trace.value, { url: await system.serviceUrl(), signal: load.signal, clock });
}

/** Both policies as the controller shows them. */
async function look(): Promise<{ readonly byPrometheus: View; readonly byAgents: View }> {
  const [pod] = await system.podsOf('kubeai-system', 'app.kubernetes.io/name=kubeai-controller');
  const response = await fetch(`http://${pod!.status!.podIP}:8080/api/policies`);
  const { policies } = (await response.json()) as { policies: readonly View[] };
  const named = (name: string) => policies.find((each) => each.name === name)!;
  return { byPrometheus: named('by-prometheus'), byAgents: named('by-agents') };
}

const replicas = async (): Promise<number> =>
  (await system.client.read<Deployment>(resources.deployments, { namespace: 'quickstart', name: 'chat' })).spec
    .replicas;

/** Prometheus, told its targets by us: Debian's is built without the discovery of Kubernetes. */
function startPrometheus(): ChildProcess {
  const config = {
    // A scrape that is given up counts a pod as gone, and with no window the target shrinks at once: time for a busy machine.
    global: { scrape_interval: '3s', scrape_timeout: '3s' },
    scrape_configs: [{ job_name: 'agents', http_sd_configs: [{ url: `${door.url}/targets`, refresh_interval: '1s' }] }],
  };
  const file = join(folder, 'prometheus.json');
  writeFileSync(file, JSON.stringify(config)); // JSON is YAML
  return spawn(
    program!,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${new URL(prometheusUrl).host}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
}

async function isPrometheusReady(): Promise<boolean> {
  try {
    return (await fetch(`${prometheusUrl}/-/ready`)).ok;
  } catch {
    return false; // it does not listen yet
  }
}

function findProgram(name: string): string | undefined {
  const paths = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false; // not there, or not for us
    }
  });
}
