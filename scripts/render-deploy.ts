// `npm run render-deploy`: writes deploy/ from the Helm chart, for people without Helm. The chart is the source; a test
// renders again and holds the two equal. Labels that only mean something to Helm are left out.
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { findProgram, programPlaces, runCommand } from '../test/cluster/programs.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..');
const chart = join(repository, 'charts/kubeai-autoscaler');
const helmLabels = ['helm.sh/chart', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/version'];

/** Which file an object goes to, by the template it comes from. The namespace must be made before what is in it. */
const files: Readonly<Record<string, string>> = {
  'namespace.yaml': 'controller.yaml',
  'controller.yaml': 'controller.yaml',
  'roles-for-users.yaml': 'controller.yaml',
  'webhook.yaml': 'webhook.yaml',
};

const head = '# Rendered from charts/kubeai-autoscaler by `npm run render-deploy`. Do not edit.\n';

/** The text of each file of deploy/ by its name. Throws what helm finds wrong with the chart. */
export async function renderDeploy(helm: string): Promise<Map<string, string>> {
  const values = join(chart, 'deploy-values.yaml');
  const words = ['template', 'kubeai', chart, '--namespace', 'kubeai-system', '--values', values, '--no-hooks'];
  const texts = new Map<string, string[]>();
  for (const part of (await runCommand(helm, words)).split(/^---\n/m)) {
    const [, source, text] = /^# Source: \S+\/templates\/(\S+)\n(.*)$/s.exec(part.trim()) ?? [];
    if (source === undefined || text === undefined) continue;
    const file = files[source];
    if (file === undefined) throw new Error(`scripts/render-deploy.ts does not know where objects of ${source} go`);
    const document = parseDocument(text);
    if (document.contents === null) continue;
    for (const path of [['metadata'], ['spec', 'template', 'metadata']]) {
      for (const label of helmLabels) {
        if (document.hasIn([...path, 'labels', label])) document.deleteIn([...path, 'labels', label]);
      }
    }
    texts.set(file, [...(texts.get(file) ?? []), document.toString({ lineWidth: 120, flowCollectionPadding: false })]);
  }
  const rendered = [...texts].map(([file, parts]): [string, string] => [file, head + parts.join('---\n')]);
  rendered.push(['kustomization.yaml', kustomization([...texts.keys()])]);
  return new Map(rendered.sort());
}

const kustomization = (names: readonly string[]): string =>
  `${head}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n${names
    .toSorted()
    .map((name) => `  - ${name}\n`)
    .join('')}`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const helm = await findProgram('helm', { ...programPlaces(process.env) });
  if (helm === undefined) {
    process.stderr.write('render-deploy: helm is not there; `npm run cluster:real build` builds it\n');
    process.exit(2);
  }
  await copyFile(join(repository, 'crds/kubeai.io_aiinferenceautoscalerpolicies.yaml'), join(chart, 'files/crd.yaml'));
  await mkdir(join(repository, 'deploy'), { recursive: true });
  for (const [file, text] of await renderDeploy(helm)) await writeFile(join(repository, 'deploy', file), text);
}
