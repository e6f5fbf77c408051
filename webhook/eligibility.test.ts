import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { eligibility, type NamespaceView, skipReasons } from './eligibility.ts';
import { annotations } from './names.ts';
import { parsePod } from './pod.ts';
import { labelled, modelPod, ownNamespace } from './testing/injection.ts';

function verdict(object: object, namespace: NamespaceView = labelled, nativeSidecars = true): string {
  const parsed = parsePod(object);
  if (!parsed.ok) throw new Error(parsed.problem);
  const found = eligibility(parsed.pod, namespace, ownNamespace, nativeSidecars);
  return found.inject ? 'Eligible' : found.reason;
}

const namespaces: Record<string, NamespaceView> = {
  labelled,
  unlabelled: { name: 'ai', labels: {} },
  disabled: { name: 'ai', labels: { 'kubeai.io/injection': 'disabled' } },
  unknown: { name: 'ai', labels: undefined },
  'kube-system': { name: 'kube-system', labels: { 'kubeai.io/injection': 'enabled' } },
  own: { name: ownNamespace, labels: { 'kubeai.io/injection': 'enabled' } },
};
const wishes: Record<string, object> = {
  silent: {},
  'annotation true': { annotations: { 'kubeai.io/inject': 'true' } },
  'annotation false': { annotations: { 'kubeai.io/inject': 'false' } },
  'annotation odd': { annotations: { 'kubeai.io/inject': 'yes' } },
  'label true': { labels: { 'kubeai.io/inject': 'true' } },
  'label false': { labels: { 'kubeai.io/inject': 'false' } },
  'label true, annotation false': {
    labels: { 'kubeai.io/inject': 'true' },
    annotations: { 'kubeai.io/inject': 'false' },
  },
};

test('the truth table of namespace and pod', () => {
  const rows = Object.entries(wishes).map(([wish, metadata]) => {
    const cells = Object.values(namespaces).map((namespace) => verdict(modelPod({ metadata }), namespace));
    return [wish, ...cells].join(' | ');
  });
  expect(`\n${[['', ...Object.keys(namespaces)].join(' | '), ...rows].join('\n')}\n`).toBe(`
 | labelled | unlabelled | disabled | unknown | kube-system | own
silent | Eligible | NamespaceNotLabelled | NamespaceNotLabelled | Eligible | SystemNamespace | SystemNamespace
annotation true | Eligible | NamespaceNotLabelled | NamespaceNotLabelled | Eligible | SystemNamespace | SystemNamespace
annotation false | OptedOut | NamespaceNotLabelled | NamespaceNotLabelled | OptedOut | SystemNamespace | SystemNamespace
annotation odd | Eligible | NamespaceNotLabelled | NamespaceNotLabelled | Eligible | SystemNamespace | SystemNamespace
label true | Eligible | NamespaceNotLabelled | NamespaceNotLabelled | Eligible | SystemNamespace | SystemNamespace
label false | OptedOut | NamespaceNotLabelled | NamespaceNotLabelled | OptedOut | SystemNamespace | SystemNamespace
label true, annotation false | Eligible | NamespaceNotLabelled | NamespaceNotLabelled | Eligible | SystemNamespace | SystemNamespace
`);
});

const asked = { metadata: { annotations: { 'kubeai.io/inject': 'true' } } };
const agent = { name: 'kubeai-agent', image: 'kubeai/agent:1' };

const onlyOn = (key: string, operator: string, ...values: string[]) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
    },
  },
});

test.each<[string, object]>([
  ['AlreadyInjected', modelPod({ spec: { initContainers: [{ ...agent, restartPolicy: 'Always' }] } })],
  ['AlreadyInjected', { spec: { containers: [{ name: 'model', image: 'vllm' }, agent] } }],
  ['AlreadyInjected', modelPod({ spec: { initContainers: [{ name: 'kubeai-redirect' }] } })],
  ['MirrorPod', modelPod({ metadata: { annotations: { 'kubernetes.io/config.mirror': 'abc' } } })],
  ['Windows', modelPod({ spec: { os: { name: 'windows' } } })],
  ['Windows', modelPod({ spec: { nodeSelector: { 'kubernetes.io/os': 'windows' } } })],
  ['Windows', modelPod({ spec: { nodeSelector: { 'beta.kubernetes.io/os': 'windows' } } })],
  ['Eligible', modelPod({ spec: { nodeSelector: { 'kubernetes.io/os': 'linux' }, os: { name: 'linux' } } })],
  ['Windows', modelPod({ spec: { affinity: onlyOn('kubernetes.io/os', 'In', 'windows') } })],
  ['Eligible', modelPod({ spec: { affinity: onlyOn('kubernetes.io/os', 'In', 'linux', 'windows') } })],
  ['Eligible', modelPod({ spec: { affinity: onlyOn('kubernetes.io/os', 'NotIn', 'windows') } })],
  ['HostNetwork', modelPod({ spec: { hostNetwork: true } })],
  ['JobLike', modelPod({ spec: { restartPolicy: 'Never' } })],
  ['JobLike', modelPod({ spec: { restartPolicy: 'OnFailure' } })],
  ['JobLike', modelPod({ metadata: { ownerReferences: [{ kind: 'Job', name: 'x' }] } })],
  ['Eligible', modelPod({ ...asked, spec: { restartPolicy: 'Never' } })],
  ['Eligible', modelPod({ spec: { restartPolicy: null, hostNetwork: null, os: null, nodeSelector: null } })],
  ['NoServingPort', modelPod({ container: { image: 'busybox', ports: undefined } })],
  ['NoServingPort', modelPod({ container: { image: 'busybox', ports: [{ name: 'metrics', containerPort: 9400 }] } })],
  ['UnsupportedProtocol', modelPod({ container: { ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }] } })],
  ['UnsupportedProtocol', modelPod({ container: { ports: [{ name: 'https', containerPort: 8443 }] } })],
  ['UnsupportedProtocol', modelPod({ container: { readinessProbe: { httpGet: { port: 'http', scheme: 'HTTPS' } } } })],
  ['Eligible', modelPod({ container: { ports: [{ name: 'http', containerPort: 15_001 }] } })],
  [
    'PortConflict',
    modelPod({
      spec: {
        initContainers: [
          {
            name: 's',
            restartPolicy: 'Always',
            ports: [15_001, 25_020, 35_001].map((containerPort) => ({ containerPort })),
          },
        ],
      },
    }),
  ],
])('%s: %j', (expected, pod) => {
  expect(verdict(pod)).toBe(expected);
});

test.each<[string, string, object]>([
  ['an ordinary pod gets its agent', 'Eligible', modelPod()],
  ['one that runs to completion gets none', 'JobLike', modelPod({ spec: { restartPolicy: 'Never' } })],
  ['nor where it asks for one', 'WouldNotComplete', modelPod({ ...asked, spec: { restartPolicy: 'Never' } })],
])('without native sidecars %s', (_name, expected, pod) => {
  expect(verdict(pod, labelled, false)).toBe(expected);
});

const portsOf = (pod: object, namespace: NamespaceView = labelled) => {
  const parsed = parsePod(pod);
  const found = parsed.ok ? eligibility(parsed.pod, namespace, ownNamespace, true) : undefined;
  return found?.inject === true ? found.ports : undefined;
};

test.each<[string, object, NamespaceView, number]>([
  ['in an ordinary pod', modelPod(), labelled, 15_001],
  [
    'beside a proxy of Istio',
    modelPod({ spec: { initContainers: [{ name: 'istio-proxy', restartPolicy: 'Always' }] } }),
    labelled,
    25_001,
  ],
  [
    'where the namespace is in the mesh',
    modelPod(),
    { ...labelled, labels: { ...labelled.labels, 'istio-injection': 'enabled' } },
    25_001,
  ],
  [
    'where the pod is taken out of the mesh',
    modelPod({ metadata: { labels: { 'sidecar.istio.io/inject': 'false' } } }),
    { ...labelled, labels: { ...labelled.labels, 'istio-injection': 'enabled' } },
    15_001,
  ],
  [
    'where the model serves on our port',
    modelPod({ container: { ports: [{ name: 'http', containerPort: 15_001 }] } }),
    labelled,
    25_001,
  ],
])('the agent listens on a port that is free %s', (_where, pod, namespace, listen) => {
  expect(portsOf(pod, namespace)?.listen).toBe(listen);
});

test('docs/injection.md names every reason and every annotation', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/injection.md'), 'utf8');
  const words = [...Object.keys(skipReasons), ...Object.values(annotations)];
  const elsewhere = ['NotAPodCreation', annotations.defaultContainer];
  expect(words.filter((word) => !elsewhere.includes(word) && !page.includes(word))).toEqual([]);
});
