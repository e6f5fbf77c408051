// The command as people run it: the list of commands, each command's own words, and what the published file makes of them.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClock } from '@kubeai/daemon';
import { createKubeClient, type KubeObject, loadKubeConfig, type PooledKubeConfig, resources } from '@kubeai/kube';
import { customResourceDefinition } from '@kubeai/policy';
import { bundle } from '../../docker/bundle.ts';
import { type ApiServer, startApiServer } from '../local-cluster/api-server/api-server.ts';
import packageJson from './package.json' with { type: 'json' };

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'kubeai-cli-'));
const kubeconfig = join(folder, 'kubeconfig');
const clock = createClock();
let api: ApiServer;
let config: PooledKubeConfig;

beforeAll(async () => {
  api = await startApiServer({ clock, crds: [customResourceDefinition()] });
  writeFileSync(kubeconfig, api.kubeconfig());
  const loaded = loadKubeConfig({ path: kubeconfig, environment: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  config = loaded.value;
});
afterAll(async () => {
  await config.close();
  await api.stop();
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(program: string, words: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], HOME: folder };
    const child = execFile(process.execPath, ['--no-warnings', program, ...words], { env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
    child.stdin!.end(input);
  });
}
const kubeai = (words: readonly string[], input?: string) => run(here('./bin.mjs'), words, input);

test('it lists its commands, says its version, and each command shows its own flags', async () => {
  const [help, version, ofInject, ofLab, ofRecommend, ofExplain] = await Promise.all([
    kubeai(['--help']),
    kubeai(['--version']),
    kubeai(['inject', '--help']),
    kubeai(['lab', '--help']),
    kubeai(['recommend', '--help']),
    kubeai(['explain', '--help']),
  ]);
  expect(help).toMatchObject({
    code: 0,
    out: expect.stringMatching(/\n {2}inject .*\n {2}lab .*\n {2}recommend .*\n {2}explain /),
  });
  expect(version).toEqual({ code: 0, out: `${packageJson.version}\n`, err: '' });
  expect(ofInject).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage: kubeai inject [\s\S]*--explain/) });
  expect(ofLab).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage: kubeai lab [\s\S]*--rivals/) });
  expect(ofRecommend).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage: kubeai recommend [\s\S]*--goal/) });
  expect(ofExplain).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Usage: kubeai explain [\s\S]*--kubeconfig/),
  });
});

test.each<[string[], string]>([
  [[], 'kubeai: a command is needed: there are inject, lab, recommend, explain; kubeai --help says more'],
  [
    ['ijnect', '-f', 'x'],
    'kubeai: ijnect is unknown: there are inject, lab, recommend, explain; kubeai --help says more',
  ],
  [['--verbose'], 'kubeai: --verbose is unknown: there are inject, lab, recommend, explain; kubeai --help says more'],
  [['inject', '--fil', 'x'], 'kubeai inject: --fil is unknown; did you mean --file?'],
  [['explain', 'chat'], 'kubeai explain: NAMESPACE/NAME must look like quickstart/chat, not "chat"'],
  [
    ['explain', 'a/b', '--kubeconfig', '/nowhere'],
    'kubeai explain: --kubeconfig /nowhere cannot be read (ENOENT): name an existing kubeconfig',
  ],
  [
    ['explain', 'a/b'],
    'kubeai explain: kubeconfig is not given and this is no pod: set KUBECONFIG to a kubeconfig file',
  ],
])('wrong words are one line and exit code 2: %j', async (words, line) => {
  const { code, out, err } = await kubeai(words);
  expect({ code, out, first: err.split('\n')[0] }).toEqual({ code: 2, out: '', first: line });
});

const manifest = `# kept
apiVersion: v1
kind: Pod
metadata: { name: chat }
spec:
  containers: [{ name: model, image: vllm/vllm-openai, ports: [{ name: http, containerPort: 8000 }] }]
`;

test('published in one file, it does the same', async () => {
  const published = join(folder, 'kubeai.mjs');
  await bundle(here('./main.ts'), published);
  const words = ['inject', '-f', '-', '--namespace', 'models'];
  const lab = ['lab', '--trace', 'step', '--rivals', 'static', '--model', 'nothing'];
  const [fromSources, fromBundle, labOfSources, labOfBundle, explained] = await Promise.all([
    kubeai(words, manifest),
    run(published, words, manifest),
    kubeai(lab),
    run(published, lab),
    run(published, ['explain', 'models/none', '--kubeconfig', kubeconfig]),
  ]);
  expect(fromSources).toMatchObject({ code: 0, out: expect.stringMatching(/^# kept[\s\S]*name: kubeai-agent/) });
  expect(fromBundle).toEqual(fromSources);
  expect(labOfSources).toMatchObject({ code: 2, err: expect.stringContaining('kubeai lab: ') });
  expect(labOfBundle).toEqual(labOfSources);
  expect(explained).toMatchObject({ code: 1, err: expect.stringContaining('there is no policy models/none') });
});

test('a policy of the cluster is explained', async () => {
  const client = createKubeClient(config, { userAgent: 'test', clock });
  await client.create(resources.namespaces, { metadata: { name: 'models' } });
  await client.create(resources.policies, {
    metadata: { namespace: 'models', name: 'chat' },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
      maxReplicas: 3,
      preset: 'interactive',
    },
  } as KubeObject);
  const explain = () => kubeai(['explain', 'models/chat', '--kubeconfig', kubeconfig]);
  expect(await explain()).toEqual({
    code: 0,
    out: 'models/chat: nothing has been decided\n  no controller has looked at it yet\n',
    err: '',
  });
  const lastDecision = {
    at: '2026-01-01T00:00:00Z',
    from: 1,
    to: 2,
    reason: 'MetricAboveTarget',
    message: '1 → 2: more',
  };
  const patch = { status: { lastDecision, decisions: [lastDecision] } };
  await client.patch(resources.policies, { namespace: 'models', name: 'chat' }, patch, {
    kind: 'merge',
    subresource: 'status',
  });
  expect(await explain()).toMatchObject({ code: 0, out: expect.stringMatching(/^models\/chat: 1 → 2: more\n/) });
});

test('a cluster without our CRD is told apart from one without the policy', async () => {
  const bare = await startApiServer({ clock });
  const elsewhere = join(folder, 'bare');
  writeFileSync(elsewhere, bare.kubeconfig());
  const { code, err } = await kubeai(['explain', 'models/chat', '--kubeconfig', elsewhere]);
  await bare.stop();
  expect({ code, err }).toEqual({
    code: 1,
    err: 'kubeai explain: the cluster has no kind AIInferenceAutoscalerPolicy: install the system first (docs/install.md)\n',
  });
});

test('an API server that is away is one line and exit code 1', async () => {
  const away = join(folder, 'away');
  writeFileSync(away, api.kubeconfig().replace(/(server: "?https?:\/\/[^:]+):\d+/, '$1:1'));
  const { code, err } = await kubeai(['explain', 'models/chat', '--kubeconfig', away]);
  expect({ code, err }).toEqual({
    code: 1,
    err: expect.stringMatching(/^kubeai explain: the API server at https?:\/\/\S+:1 did not answer: [^\n]*\n$/),
  });
});
