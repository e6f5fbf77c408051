// Least privilege, asked of the API server that enforces it. That it is also enough, the other scenarios show; at their
// end nobody may have been refused anything (see failures.scenario.ts).
import { expect, test } from '@jest/globals';
import { kubectl, tryKubectl } from './scene.ts';

const may = async (account: string, question: string): Promise<string> => {
  const as = `--as=system:serviceaccount:kubeai-system:kubeai-${account}`;
  // kubectl reads TYPE/NAME where RBAC writes RESOURCE/SUBRESOURCE.
  const words = question.replace(/\/(scale|status|eviction|exec)\b/, ' --subresource=$1').split(' ');
  return (await tryKubectl(['auth', 'can-i', ...words, as])).stdout.trim();
};

const table = `
  controller | yes | patch deployments.apps/scale -n anywhere
  controller | yes | patch leaderworkersets.leaderworkerset.x-k8s.io/scale -n anywhere
  controller | yes | get secrets/kubeai-ca -n kubeai-system
  controller | yes | patch aiinferenceautoscalerpolicies.kubeai.io/status -n anywhere
  controller | yes | create pods/eviction -n anywhere
  controller | no  | patch deployments.apps -n anywhere
  controller | no  | update deployments.apps -n anywhere
  controller | no  | patch aiinferenceautoscalerpolicies.kubeai.io -n anywhere
  controller | no  | delete pods -n anywhere
  controller | no  | create pods -n anywhere
  controller | no  | create pods/exec -n anywhere
  controller | no  | get secrets -n anywhere
  controller | no  | list secrets -n kubeai-system
  controller | no  | get secrets/another -n kubeai-system
  controller | no  | patch configmaps/another -n anywhere
  controller | no  | patch mutatingwebhookconfigurations.admissionregistration.k8s.io/kubeai-webhook
  controller | no  | update leases.coordination.k8s.io/another -n kubeai-system
  controller | no  | create clusterrolebindings.rbac.authorization.k8s.io
  controller | no  | impersonate users
  webhook    | yes | patch mutatingwebhookconfigurations.admissionregistration.k8s.io/kubeai-webhook
  webhook    | yes | list services -n anywhere
  webhook    | no  | patch mutatingwebhookconfigurations.admissionregistration.k8s.io/another
  webhook    | no  | create mutatingwebhookconfigurations.admissionregistration.k8s.io
  webhook    | no  | list pods -n anywhere
  webhook    | no  | create pods -n anywhere
  webhook    | no  | get secrets -n anywhere
  webhook    | no  | patch deployments.apps/scale -n anywhere
  webhook    | no  | patch aiinferenceautoscalerpolicies.kubeai.io/status -n anywhere
`;
const rows = table
  .trim()
  .split('\n')
  .map((row) => row.split('|').map((cell) => cell.trim()) as [string, string, string]);

test.each(rows)(
  'the %s: %s, it may (not) %s',
  async (account, expected, question) => {
    expect(await may(account, question)).toBe(expected);
  },
  20_000,
);

test('people with the role view see policies, with edit they change them', async () => {
  const roles = async (role: string) =>
    JSON.parse(await kubectl(['get', 'clusterrole', role, '-o', 'json'])) as {
      rules: { apiGroups?: string[]; verbs: string[] }[];
    };
  const verbs = async (role: string) =>
    (await roles(role)).rules.filter(({ apiGroups }) => apiGroups?.includes('kubeai.io')).flatMap((rule) => rule.verbs);
  expect((await verbs('view')).sort()).toEqual(['get', 'list', 'watch']);
  expect(await verbs('edit')).toEqual(expect.arrayContaining(['create', 'delete', 'get', 'patch', 'update', 'watch']));
}, 20_000);
