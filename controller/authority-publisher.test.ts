// Agents trust the authority that lies in their own namespace.
import { expect, test } from '@jest/globals';
import { type KubeObject, resources } from '@kubeai/kube';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { createAuthorityPublisher } from './authority-publisher.ts';
import { clock, log, useScene } from './testing/scene.ts';

const scene = useScene();

test('the public authority is put into labelled namespaces, and again when somebody deletes it', async () => {
  const name = scene.named('kubeai-ca');
  const read = async () => (await scene.client().find<KubeObject & { data: object }>(resources.configMaps, name))?.data;
  const publisher = createAuthorityPublisher(scene.client(), clock, log);
  try {
    await publisher.publish('first');
    expect(await read()).toBeUndefined();
    await scene
      .client()
      .patch(
        resources.namespaces,
        { name: scene.namespace() },
        { metadata: { labels: { 'kubeai.io/injection': 'enabled' } } },
        { kind: 'merge' },
      );
    await eventually(async () => JSON.stringify(await read()) === '{"ca.crt":"first"}');
    await publisher.publish('second');
    expect(await read()).toEqual({ 'ca.crt': 'second' });
    await scene.client().delete(resources.configMaps, name);
    await eventually(async () => JSON.stringify(await read()) === '{"ca.crt":"second"}');
  } finally {
    publisher.stop();
  }
});
