// docs/install.md, followed to the letter: plain manifests in and out, then Helm, which the other scenarios stand on.
import { expect, test } from '@jest/globals';
import { chapters, follow, get, instructions, kubectl } from './scene.ts';

const patience = 400_000;

test('every command of the page is followed by one of the scenarios', async () => {
  // With the last one in uninstall.scenario.ts, the one before it in quickstart.scenario.ts.
  expect(await chapters()).toEqual(['With plain manifests', 'With Helm', 'Try it', 'Uninstall']);
});

test(
  'plain manifests install, and take everything away again',
  async () => {
    const [install, remove] = await instructions('With plain manifests');
    await follow(install!);
    const { items } = await get<{ items: { webhooks: { clientConfig: { caBundle?: string } }[] }[] }>(
      'mutatingwebhookconfigurations,validatingwebhookconfigurations',
      '-l',
      'app.kubernetes.io/part-of=kubeai-autoscaler',
    );
    const bundles = items.flatMap(({ webhooks }) => webhooks.map(({ clientConfig }) => clientConfig.caBundle ?? ''));
    expect(bundles).toHaveLength(2);
    for (const bundle of bundles) expect(Buffer.from(bundle, 'base64').toString()).toContain('BEGIN CERTIFICATE');
    await follow(remove!);
    const left = await kubectl([
      ...['get', 'clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations,crds'],
      ...['-l', 'app.kubernetes.io/part-of=kubeai-autoscaler', '-o', 'name'],
    ]);
    expect(left).toBe('');
  },
  patience,
);

test(
  'Helm installs, tests and upgrades under Pod Security restricted',
  async () => {
    for (const block of await instructions('With Helm')) await follow(block);
    const { spec } = await get<{ spec: { template: { spec: { containers: { env: { name: string }[] }[] } } } }>(
      'deployment',
      '-n',
      'kubeai-system',
      'kubeai-webhook',
    );
    const names = spec.template.spec.containers.flatMap(({ env }) => env.map(({ name }) => name));
    expect(names).toContain('KUBEAI_REDIRECT_IMAGE');
  },
  patience,
);
