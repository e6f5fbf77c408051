// Reviews as API servers send them, and as nobody should: a valid answer or a 400 with a reason, never a crash.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { nothingAround } from '@kubeai/policy';
import fc from 'fast-check';
import jsonPatch from 'jsonpatch';
import { parse, parseAllDocuments } from 'yaml';
import { type AdmissionResponse, parseReview, reviewOf } from './admission-review.ts';
import { admitPod, mutatePod } from './mutate-pods.ts';
import { config, labelled, modelPod, ownNamespace, reviewOfPod } from './testing/injection.ts';
import { podProblems } from './testing/pod-problems.ts';
import { validatePolicy } from './validate-policies.ts';

async function answers(body: Buffer): Promise<readonly AdmissionResponse[] | string> {
  const parsed = parseReview(body);
  if (!parsed.ok) return parsed.problems.join('; ');
  return [
    mutatePod(parsed.value, labelled, ownNamespace, config).response,
    await validatePolicy(parsed.value, async () => nothingAround),
  ];
}

/** What is wrong with an answer; empty when the API server would take it. */
function answerProblems(response: AdmissionResponse, uid: unknown, object: unknown): string[] {
  const problems: string[] = [];
  if (response.uid !== uid) problems.push('another uid');
  if (response.allowed !== true && !(response.status?.message.length ?? 0)) problems.push('denied without a reason');
  if ((response.patch === undefined) !== (response.patchType === undefined))
    problems.push('patch and patchType do not go together');
  if ((response.warnings ?? []).some((text) => text === '' || /[^\x20-\x7e]/.test(text) || text.length > 256))
    problems.push('a warning that is no header');
  if (response.patch !== undefined) {
    const patch = JSON.parse(Buffer.from(response.patch, 'base64').toString()) as never;
    jsonPatch.apply_patch(object as object, patch);
  }
  JSON.parse(JSON.stringify(reviewOf(response)));
  return problems;
}

const policyReview = (object: unknown, request: object = {}) =>
  reviewOfPod(object, {
    kind: { group: 'kubeai.io', version: 'v1alpha1', kind: 'AIInferenceAutoscalerPolicy' },
    resource: { group: 'kubeai.io', version: 'v1alpha1', resource: 'aiinferenceautoscalerpolicies' },
    name: 'chat',
    ...request,
  });
const policy = (spec: object) => ({
  apiVersion: 'kubeai.io/v1alpha1',
  kind: 'AIInferenceAutoscalerPolicy',
  metadata: { name: 'chat', namespace: 'ai' },
  spec,
});
const good = { targetRef: { kind: 'Deployment', name: 'chat' }, maxReplicas: 3, preset: 'interactive' };

async function policyAnswer(review: unknown, around = nothingAround): Promise<AdmissionResponse> {
  const parsed = parseReview(Buffer.from(JSON.stringify(review)));
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return validatePolicy(parsed.value, async () => around);
}

test('a wrong policy is refused with every problem by field', async () => {
  const response = await policyAnswer(policyReview(policy({ ...good, minReplicas: 4, mode: 'On' })));
  expect(response).toMatchObject({ allowed: false, status: { code: 422 } });
  expect(response.status?.message).toBe(
    'policy "chat" is invalid: spec.mode: must be one of Observe, Recommend, Active; spec.minReplicas: must not exceed maxReplicas',
  );
});

test('a right policy is allowed, with what is risky about it', async () => {
  const rival = { kind: 'HorizontalPodAutoscaler', name: 'old', target: { kind: 'Deployment', name: 'chat' } };
  const response = await policyAnswer(policyReview(policy(good)), { ...nothingAround, autoscalers: [rival] });
  expect(response).toEqual({
    uid: expect.any(String),
    allowed: true,
    warnings: [
      'spec.targetRef HorizontalPodAutoscaler old also scales Deployment chat: two writers undo each other, delete one',
    ],
  });
});

test.each<[string, object]>([
  [
    'a policy on its way out',
    policyReview(
      { ...policy({}), metadata: { name: 'chat', deletionTimestamp: '2026-01-01T00:00:00Z' } },
      { operation: 'UPDATE' },
    ),
  ],
  ['a status', policyReview(policy({}), { operation: 'UPDATE', subResource: 'status' })],
  ['a deletion', policyReview(null, { operation: 'DELETE' })],
])('%s is not held by a rule about specs', async (_name, review) => {
  expect(await policyAnswer(review)).toMatchObject({ allowed: true });
});

test.each<[string, string, string]>([
  ['no JSON', '{', 'the body is no JSON'],
  ['an empty body', '', 'the body is no JSON'],
  ['another kind', JSON.stringify({ kind: 'Pod', request: {} }), 'kind'],
  ['no request', '{}', 'request'],
  ['no uid', JSON.stringify(reviewOfPod({}, { uid: '' })), 'request.uid'],
  ['an old version', JSON.stringify({ ...reviewOfPod({}), apiVersion: 'admission.k8s.io/v1beta1' }), 'apiVersion'],
  ['a list', '[]', 'the body'],
])('%s is answered with a reason', async (_name, body, reason) => {
  expect(await answers(Buffer.from(body))).toEqual(expect.stringContaining(reason));
});

test.each<[string, object]>([
  ['an update', reviewOfPod(modelPod(), { operation: 'UPDATE' })],
  ['a deletion without object', reviewOfPod(null, { operation: 'DELETE' })],
  ['an ephemeral container', reviewOfPod(modelPod(), { operation: 'UPDATE', subResource: 'ephemeralcontainers' })],
  ['another kind', reviewOfPod(modelPod(), { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } })],
  ['no pod at all', reviewOfPod('pod')],
  ['a pod without containers', reviewOfPod({ spec: { containers: [] } })],
])('%s is allowed as it is', async (_name, review) => {
  const [response] = (await answers(Buffer.from(JSON.stringify(review)))) as AdmissionResponse[];
  expect(response).toEqual({ uid: '705ab4f5-6393-11e8-b7cc-42010a800002', allowed: true });
});

// ---- Reviews from outside, when they are at hand --------------------------------------------------------------------

const fixtures = join(import.meta.dirname, '../../shared/fixtures');
const outside = existsSync(fixtures);
const whenAtHand = outside ? test : test.skip;
const filesIn = (folder: string) =>
  outside
    ? readdirSync(join(fixtures, folder)).filter((file) => /\.(json|ya?ml)$/.test(file) && file !== 'index.json')
    : [];
const json = (path: string) => JSON.parse(readFileSync(join(fixtures, path), 'utf8')) as Record<string, unknown>;

const captured: object[] = [
  ...filesIn('admission/reviews').map((file) => json(`admission/reviews/${file}`)),
  ...filesIn('admission/requests').map((file) => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: json(`admission/requests/${file}`),
  })),
];

whenAtHand(`captured reviews are answered (needs ${fixtures})`, async () => {
  const outcomes: Record<string, number> = {};
  for (const review of captured) {
    const { request } = review as { request: { uid: string; object: unknown } };
    const found = await answers(Buffer.from(JSON.stringify(review)));
    // The round-trip data of Kubernetes fills every field with a placeholder, the operation included.
    if (typeof found === 'string') expect(found).toContain('request.operation');
    else for (const response of found) expect(answerProblems(response, request.uid, request.object)).toEqual([]);
    const outcome = typeof found === 'string' ? 'refused' : found[0]!.patch === undefined ? 'untouched' : 'patched';
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  expect(outcomes['patched']).toBeGreaterThan(10);
});

/** The pods inside published manifests. */
function podsIn(path: string): { name: string; pod: Record<string, unknown> }[] {
  return parseAllDocuments(readFileSync(join(fixtures, path), 'utf8')).flatMap((document) => {
    if (document.errors.length > 0) return [];
    const object = document.toJS() as {
      kind?: string;
      metadata?: { name?: string };
      spec?: { template?: object };
    } | null;
    const template = object?.kind === 'Pod' ? object : object?.spec?.template;
    const spec = (template as { spec?: { containers?: unknown } } | undefined)?.spec;
    return spec?.containers === undefined
      ? []
      : [{ name: `${object?.kind} ${object?.metadata?.name}`, pod: template as Record<string, unknown> }];
  });
}

whenAtHand(
  `published manifests are injected into pods that validate, or skipped for a reason (needs ${fixtures})`,
  () => {
    const table = [
      ...filesIn('manifests').map((file) => `manifests/${file}`),
      ...filesIn('admission/pods').map((file) => `admission/pods/${file}`),
    ].flatMap((path) =>
      podsIn(path).map(({ name, pod }) => {
        const { pod: after, outcome } = admitPod(pod, labelled, ownNamespace, config);
        expect(podProblems(after)).toEqual([]);
        const status = (after as { metadata?: { annotations?: Record<string, string> } }).metadata?.annotations?.[
          'kubeai.io/injection-status'
        ];
        const port = status === undefined ? '-' : ((parse(status) as { port?: number }).port ?? '-');
        return `${path.split('/').at(-1)} | ${name} | ${outcome.kind === 'injected' ? outcome.reach : outcome.reason} | ${port}`;
      }),
    );
    expect(`\n${table.join('\n')}\n`).toBe(`
dcgm-exporter-daemonset.yaml | DaemonSet dcgm-exporter | NoServingPort | -
llm-d-qwen3-8b-pd-routing-sidecar.yaml | Deployment pd-disaggregation-nvidia-gpu-vllm-prefill | port | 8000
llm-d-qwen3-8b-pd-routing-sidecar.yaml | Deployment pd-disaggregation-nvidia-gpu-vllm-decode | none | 8200
nim-gke-gemma3-27b.yaml | Deployment nim-gemma-3-27b-deployment | none | 8000
semantic-router-aibrix-tcp-probe.yaml | Deployment semantic-router | port | 8080
sglang-aibrix-llama-8b.yaml | Deployment deepseek-r1-distill-llama-8b | none | 8000
sglang-upstream-service.yaml | Deployment meta-llama-31-8b-instruct-sglang | none | 30000
tgi-gke-gemma-2-2b-it.yaml | Deployment tgi-gemma-deployment | none | 8000
triton-trtllm-gke-gemma.yaml | Deployment triton-gemma-deployment | port | 8000
vllm-aibrix-autoscaling.yaml | Deployment deepseek-r1-distill-llama-8b | none | 8000
vllm-aibrix-three-ports.yaml | Deployment qwen3-8b | port | 8000
vllm-aibrix-v100-init-and-runtime-sidecar.yaml | Deployment deepseek-coder-7b-v100 | none | 8000
vllm-emulator-llm-d.yaml | Deployment vllme-deployment | none | 80
vllm-gke-adk.yaml | Deployment vllm-llama3-deployment | none | 8000
vllm-gke-gemma-2-2b-it.yaml | Deployment vllm-gemma-deployment | none | 8000
vllm-production-stack-native-sidecar.yaml | Deployment vllm-llama3-1b-instruct | port | 8000
vllm-production-stack-prefill.yaml | Deployment prefill | none | 8000
dra-openshift-L117.yaml | Pod dra-gpu-test | JobLike | -
dra-upcloud-L44.yaml | Deployment dra-example | NoServingPort | -
dra-upcloud-L99.yaml | Deployment dra-example | NoServingPort | -
eks-rawPodWithGRPC.pod.yaml | Pod balajilovesoreos | none | 5000
eks-rawPodWithVolumes.pod.yaml | Pod balajilovesoreos | NoServingPort | -
eks-windowsPodWithoutVolumes.pod.yaml | Pod balajilovesoreos | Windows | -
keda-metrics-server-read-only-root.yaml | Deployment keda-metrics-apiserver | port | 8080
linkerd-pod-nativesidecar-inject-enabled.yaml | Pod nginx | port | 80
linkerd-pod-with-opaque-ports.yaml | Pod pod | port | 80
`);
  },
);

// ---- Fuzz -----------------------------------------------------------------------------------------------------------

const seeds: readonly object[] = [
  reviewOfPod(modelPod()),
  reviewOfPod(
    modelPod({
      metadata: { annotations: { 'kubeai.io/port': 'http', 'kubeai.io/reach': 'port' } },
      spec: { initContainers: [{ name: 's', restartPolicy: 'Always' }], volumes: [] },
    }),
  ),
  policyReview(
    policy({
      ...good,
      metrics: { latency: { targetP99Ms: 5 }, custom: [{ name: 'a', target: 1, agentMetric: 'b' }] },
      schedule: [{ name: 'x', cron: '* * * * *', durationSeconds: 60, minReplicas: 1 }],
    }),
  ),
  ...captured,
];

/** One place of a JSON value replaced, removed, or doubled. `steps` chooses the way down, wrapping around. */
function mutated(value: unknown, steps: readonly number[], change: (old: unknown) => unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined || typeof value !== 'object' || value === null) return change(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return change(value);
    return value.with(step % value.length, mutated(value[step % value.length], rest, change));
  }
  const keys = Object.keys(value);
  if (keys.length === 0) return change(value);
  const key = keys[step % keys.length]!;
  const changed = mutated((value as Record<string, unknown>)[key], rest, change);
  const { [key]: _old, ...others } = value as Record<string, unknown>;
  return changed === undefined ? others : { ...others, [key]: changed };
}

const change: fc.Arbitrary<(old: unknown) => unknown> = fc.oneof(
  fc.constant(() => undefined),
  fc.constant((old: unknown) => [old, old]),
  fc
    .constantFrom<unknown>(
      null,
      '',
      0,
      -1,
      1e308,
      true,
      [],
      {},
      'Always',
      'kubeai-agent',
      15_001,
      '\u0000\uffff',
      { __proto__: 1 },
      JSON.parse('{"__proto__":{"x":1},"constructor":"y","toString":null}'),
    )
    .map((to) => () => to),
  fc.jsonValue({ maxDepth: 2 }).map((to) => () => to),
);

const runs = Number(process.env['KUBEAI_FUZZ_RUNS'] ?? 2_000);
test(`${runs} mutated reviews get a valid answer or a reason`, async () => {
  let refused = 0;
  const mutation = fc.tuple(fc.array(fc.nat(30), { minLength: 1, maxLength: 9 }), change);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      async (seed, mutations) => {
        const review = mutations.reduce<unknown>((value, [steps, to]) => mutated(value, steps, to), seed);
        const found = await answers(Buffer.from(JSON.stringify(review) ?? ''));
        if (typeof found === 'string') {
          refused++;
          expect(found).not.toBe('');
          return;
        }
        const { request } = JSON.parse(JSON.stringify(review)) as { request: { uid: string; object: unknown } };
        for (const response of found) expect(answerProblems(response, request.uid, request.object)).toEqual([]);
      },
    ),
    { numRuns: runs },
  );
  expect(refused).toBeLessThan(runs); // a fuzzer whose every input is refused at the door tests the door only
}, 600_000);

test.each<[string, () => string]>([
  [
    'many containers',
    () => JSON.stringify(reviewOfPod({ spec: { containers: Array.from({ length: 150_000 }, () => ({ name: 'a' })) } })),
  ],
  [
    'many ports',
    () =>
      JSON.stringify(
        reviewOfPod(
          modelPod({
            container: {
              ports: Array.from({ length: 80_000 }, (_, index) => ({ name: `p${index}`, containerPort: 80 })),
            },
          }),
        ),
      ),
  ],
  [
    'deep nesting',
    () =>
      JSON.stringify(reviewOfPod(0)).replace('"object":0', `"object":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`),
  ],
  [
    'one long argument',
    () => JSON.stringify(reviewOfPod(modelPod({ container: { ports: [], args: [`${'--port '.repeat(300_000)}x`] } }))),
  ],
])('3 MB of %s are answered', async (_what, body) => {
  expect(await answers(Buffer.from(body()))).toEqual([expect.objectContaining({ allowed: true }), expect.anything()]);
});

test('any bytes get an answer', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
      ),
      async (bytes) => {
        expect(await answers(Buffer.from(bytes))).toBeDefined();
      },
    ),
    { numRuns: 500 },
  );
});
