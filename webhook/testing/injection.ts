// What tests of the webhook share: a configuration, and reviews around pods.
import type { InjectionConfig } from '../agent-container.ts';
import { podDefaults } from '../config.ts';
import type { NamespaceView } from '../eligibility.ts';

export const ownNamespace = 'kubeai-system';
export const labelled: NamespaceView = { name: 'ai', labels: { 'kubeai.io/injection': 'enabled' } };

export const config: InjectionConfig = {
  version: '1.2.3',
  agentImage: 'kubeai/agent:1.2.3',
  controllerUrl: 'https://kubeai-controller.kubeai-system.svc:9444',
  drainSeconds: 300,
  nativeSidecars: true,
  defaults: podDefaults,
};

/** What an API server sends when a pod is created. */
export const reviewOfPod = (object: unknown, request: object = {}) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    operation: 'CREATE',
    namespace: 'ai',
    userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
    object,
    oldObject: null,
    dryRun: false,
    ...request,
  },
});

/** An ordinary model server's pod, with changes. */
export const modelPod = ({
  metadata = {},
  spec = {},
  container = {},
}: {
  metadata?: object;
  spec?: object;
  container?: object;
} = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { generateName: 'chat-', labels: { app: 'chat' }, ...metadata },
  spec: {
    containers: [
      {
        name: 'model',
        image: 'vllm/vllm-openai:v0.10.0',
        ports: [{ name: 'http', containerPort: 8000 }],
        ...container,
      },
    ],
    ...spec,
  },
});
