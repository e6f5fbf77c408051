import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { version } from './config.ts';
import { injectManifest } from './inject-manifest.ts';
import { config, ownNamespace } from './testing/injection.ts';
import { podProblems } from './testing/pod-problems.ts';

function inject(text: string): { text: string; said: string[] } {
  const injected = injectManifest(text, config, ownNamespace);
  if (!injected.ok) throw new Error(JSON.stringify(injected.problems));
  return {
    text: injected.value.text,
    said: injected.value.explanations.map(({ object, sentence }) => `${object}: ${sentence}`),
  };
}

const deployment = `# The team's own words.
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat, namespace: ai}   # flow style stays
spec:
  template:
    spec:
      # The one that serves.
      containers:
      - name: model # with a comment
        image: "vllm/vllm-openai:v0.10.0"

        ports:
        # clients come in here
        - containerPort: 8000
          name: http
        - {containerPort: 9400, name: metrics}
      volumes:
      - name: cache # big
        emptyDir: {}
`;
const service = `---
# A Service, with   odd   spacing that nobody may touch.
apiVersion: v1
kind:   Service
metadata: { name:   chat }
`;

test('comments, order and documents without pods stay as they were', () => {
  const { text, said } = inject(deployment + service);
  expect(said).toEqual([
    'Deployment ai/chat: agent injected, reach port',
    'Service chat: left alone: it makes no pods that we know of',
  ]);
  for (const kept of [
    "# The team's own words.",
    '# flow style stays',
    '# The one that serves.',
    '# with a comment',
    '# clients come in here',
    '# big',
  ]) {
    expect(text).toContain(kept);
  }
  expect(text.endsWith(service)).toBe(true);
  expect(text.indexOf('containers:')).toBeLessThan(text.indexOf('volumes:'));
  expect(text).toContain('"vllm/vllm-openai:v0.10.0"');
});

test('injecting what is injected changes nothing', () => {
  const once = inject(deployment + service).text;
  expect(inject(once)).toEqual({ text: once, said: [expect.stringContaining('AlreadyInjected'), expect.any(String)] });
});

test('the template in the file is the pod that the webhook would have made', () => {
  const template = (text: string) =>
    (parseAllDocuments(text)[0]!.toJS() as { spec: { template: { spec: { initContainers?: { name: string }[] } } } })
      .spec.template;
  const after = template(inject(deployment).text);
  expect(after.spec.initContainers?.map(({ name }) => name)).toEqual(['kubeai-agent']);
  expect(podProblems(after)).toEqual([]);
});

test.each<[string, string, string]>([
  [
    'a Pod',
    'kind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, image: vllm}]}\n',
    'Pod x: agent injected, reach none',
  ],
  [
    'a Job',
    'kind: Job\nmetadata: {name: x}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: vllm}]}}}\n',
    'Job x: no agent, JobLike',
  ],
  [
    'a CronJob',
    'kind: CronJob\nmetadata: {name: x}\nspec: {jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: vllm}]}}}}}\n',
    'CronJob x: no agent, JobLike',
  ],
  [
    'JSON',
    '{"kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"name":"a","image":"vllm"}]}}\n',
    'Pod x: agent injected, reach none',
  ],
  [
    'a List',
    'kind: List\nitems:\n- {kind: Service, metadata: {name: s}}\n- {kind: Pod, metadata: {name: x}, spec: {containers: [{name: a, image: vllm}]}}\n',
    'Pod x: agent injected, reach none',
  ],
  ['a workload without a template', 'kind: Deployment\nmetadata: {name: x}\n', 'Deployment x: no agent, InvalidPod'],
  [
    'a pod of Kubernetes',
    'kind: Pod\nmetadata: {name: x, namespace: kube-system}\nspec: {containers: [{name: a, image: vllm}]}\n',
    'Pod kube-system/x: no agent, SystemNamespace',
  ],
  [
    'an Argo Rollout',
    'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: x}\nspec: {template: {spec: {containers: [{name: a, image: vllm}]}}}\n',
    'Rollout x: agent injected, reach none',
  ],
  [
    'a LeaderWorkerSet without a template for leaders',
    'apiVersion: leaderworkerset.x-k8s.io/v1\nkind: LeaderWorkerSet\nmetadata: {name: x}\nspec: {leaderWorkerTemplate: {workerTemplate: {spec: {containers: [{name: a, image: vllm}]}}}}\n',
    'LeaderWorkerSet x: agent injected, reach none',
  ],
])('%s is understood', (_name, text, expected) => {
  const { said, text: after } = inject(text);
  expect(said).toContainEqual(expect.stringContaining(expected));
  if (expected.includes('no agent')) expect(after).toBe(text);
  else expect(after).toContain('kubeai-agent');
});

test('a Service of the same file that targets the number of the port is seen', () => {
  const labelled = deployment.replace(
    '    spec:\n      # The one',
    '    metadata: {labels: {app: chat}}\n    spec:\n      # The one',
  );
  const byNumber =
    '---\nkind: Service\nmetadata: {name: chat, namespace: ai}\nspec: {selector: {app: chat}, ports: [{port: 80, targetPort: 8000}]}\n';
  expect(inject(labelled + byNumber).said[0]).toBe('Deployment ai/chat: agent injected, reach none');
  expect(inject(labelled + byNumber.replace('8000', 'http')).said[0]).toBe(
    'Deployment ai/chat: agent injected, reach port',
  );
});

test('anchors that stand for several places are written out, so that only the meant one changes', () => {
  const text =
    'kind: Pod\nmetadata: {name: x}\nspec:\n  volumes: &v []\n  containers:\n  - {name: a, image: vllm, ports: &p [{name: http, containerPort: 8000}]}\n  - {name: b, image: own, ports: *p, mode: 0700}\n';
  const { spec } = parse(inject(text).text, { version: '1.1' }) as { spec: { containers: object[] } };
  expect(spec.containers[1]).toEqual({
    name: 'b',
    image: 'own',
    ports: [{ name: 'http', containerPort: 8000 }],
    mode: 0o700,
  });
});

test.each(['', '\n', '# only a comment\n', '---\n---\n', 'just text\n', '- a\n- list\n', 'null\n'])(
  'text without objects stays as it is: %j',
  (text) => {
    expect(inject(text).text).toBe(text);
  },
);

test('text that is no YAML is refused by its line in the whole file', () => {
  const injected = injectManifest(`${service}---\na: b: c\n`, config, ownNamespace);
  expect(injected).toEqual({ ok: false, problems: [{ field: 'line 7', message: expect.stringContaining('mapping') }] });
});

const manifests = join(import.meta.dirname, '../../shared/fixtures/manifests');
(existsSync(manifests) ? test : test.skip)(
  `published manifests keep their comments, and a second run changes nothing (needs ${manifests})`,
  () => {
    for (const file of readdirSync(manifests).filter((name) => name.endsWith('.yaml') && !name.startsWith('INVALID'))) {
      const before = readFileSync(join(manifests, file), 'utf8');
      const once = inject(before).text;
      const comments = (text: string) => (text.match(/(?:^|\s)#.*$/gm) ?? []).map((comment) => comment.trim()).sort();
      expect(comments(once)).toEqual(comments(before));
      expect(inject(once).text).toBe(once);
    }
  },
);

test('the version that is written into pods is that of the package', () => {
  expect(JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8'))).toMatchObject({ version });
});

test('of a LeaderWorkerSet the leader gets an agent', () => {
  const spec = '{spec: {containers: [{name: a, image: vllm}]}}';
  const head = 'apiVersion: leaderworkerset.x-k8s.io/v1\nkind: LeaderWorkerSet\nmetadata: {name: x}\n';
  const { text } = inject(`${head}spec: {leaderWorkerTemplate: {workerTemplate: ${spec}, leaderTemplate: ${spec}}}\n`);
  const { leaderTemplate, workerTemplate } = parse(text).spec.leaderWorkerTemplate;
  expect(podProblems(leaderTemplate)).toEqual([]);
  expect([leaderTemplate, workerTemplate].map(({ spec: { initContainers } }) => initContainers?.length ?? 0)).toEqual([
    1, 0,
  ]);
});

test.each<[string, string, string]>([
  ['a Knative Service', 'serving.knative.dev/v1', 'Service'],
  ['an InferenceService', 'serving.kserve.io/v1beta1', 'InferenceService'],
  ['a RayService', 'ray.io/v1', 'RayService'],
  ["a Job of Volcano's", 'batch.volcano.sh/v1alpha1', 'Job'],
])('%s is left to its operator and the webhook', (_name, apiVersion, kind) => {
  const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\nspec: {template: {spec: {containers: [{name: a, image: vllm}]}}}\n`;
  const expected = `${kind} x: left alone: an operator makes its pods, which get their agents from the webhook`;
  expect(inject(text)).toEqual({ text, said: [expected] });
});

test.each<[string, string, RegExp]>([
  ['a kind of an operator that we do not know', 'kaito.sh/v1beta1', /they get their agents from the webhook$/],
  ["one of Kubernetes' experiments", 'disaggregatedset.x-k8s.io/v1', /they get their agents from the webhook$/],
  ["one of Kubernetes' own", 'networking.k8s.io/v1', /makes no pods that we know of$/],
  ['a policy', 'kubeai.io/v1alpha1', /makes no pods that we know of$/],
  ['one without a group', 'v1', /makes no pods that we know of$/],
])('%s is left alone, with what becomes of its pods', (_name, apiVersion, expected) => {
  const text = `apiVersion: ${apiVersion}\nkind: Thing\nmetadata: {name: x}\n`;
  expect(inject(text)).toEqual({ text, said: [expect.stringMatching(expected)] });
});

test.each<[string, string, string]>([
  ['a value', 'kind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n', 'line 3'],
  ['a block', 'kind: Pod\n---\n# text\n{{- if .Values.on }}\nkind: Pod\n{{- end }}\n', 'line 4'],
  ['a fragment', 'kind: Pod\nspec:\n  containers:\n    {{- toYaml .Values.all | nindent 4 }}\n', 'line 4'],
])('a template with %s in the place of YAML is named as such', (_name, text, line) => {
  const refused = injectManifest(text, config, ownNamespace);
  expect(refused.ok ? [] : refused.problems).toEqual([
    { field: line, message: 'is a template, not YAML; render it first, such as with: helm template' },
  ]);
});

test('a chat template in a text is no template of Helm', () => {
  const text =
    'kind: ConfigMap\nmetadata: {name: x}\ndata:\n  chat.jinja: |\n    {{ bos_token }}{% for m in messages %}\n  one: "{{ x }}"\n';
  expect(inject(text).text).toBe(text);
});
