// What users do with kubectl, held against an API server: the local one, or the one that CONTRACT_KUBECONFIG names. Nothing
// here looks into the server; where a real one answers differently, the real one is right.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ContractTarget, startContractTarget } from './contract-target.ts';
import { createKubectl, hasKubectl, type Kubectl, type Outcome } from './kubectl.ts';

const present = hasKubectl();
if (!present) console.warn('No kubectl on the PATH: the contract with kubectl is not tested.');

const crdName = 'widgets.contract.kubeai.io';

const column = (name: string, type: string, jsonPath: string, priority = 0) => ({ name, type, jsonPath, priority });
const crd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: crdName },
  spec: {
    group: 'contract.kubeai.io',
    scope: 'Namespaced',
    names: { kind: 'Widget', plural: 'widgets', singular: 'widget', shortNames: ['wgt'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.replicas',
            statusReplicasPath: '.status.replicas',
            labelSelectorPath: '.status.selector',
          },
        },
        additionalPrinterColumns: [
          column('Size', 'string', '.spec.size'),
          column('Replicas', 'integer', '.spec.replicas'),
          column('Ready', 'string', '.status.conditions[?(@.type=="Ready")].status'),
          column('Note', 'string', '.spec.note', 1),
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                description: 'What is wanted of the widget.',
                required: ['size'],
                'x-kubernetes-validations': [
                  {
                    rule: "self.size != 'small' || self.replicas <= 5",
                    message: 'a small widget has at most 5 replicas',
                  },
                ],
                properties: {
                  size: { type: 'string', enum: ['large', 'small'], description: 'How big it is.' },
                  note: { type: 'string', maxLength: 20 },
                  replicas: { type: 'integer', minimum: 0, default: 1 },
                },
              },
              status: {
                type: 'object',
                properties: {
                  replicas: { type: 'integer' },
                  selector: { type: 'string' },
                  conditions: {
                    type: 'array',
                    items: { type: 'object', properties: { type: { type: 'string' }, status: { type: 'string' } } },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};
const widget = (name: string, spec: object) => ({
  apiVersion: 'contract.kubeai.io/v1',
  kind: 'Widget',
  metadata: { name },
  spec,
});

// Without replicas, so that nothing has to run where the cluster is real.
const deployment = (name: string, more: object = {}, container: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'example/web:1', ...container }] },
    },
    ...more,
  },
});

(present ? describe : describe.skip)('kubectl', () => {
  let target: ContractTarget;
  let kubectl: Kubectl;

  beforeAll(async () => {
    target = await startContractTarget();
    kubectl = createKubectl(target.kubeconfigPath, target.namespace);
    expect(await kubectl(['create', 'namespace', target.namespace])).toMatchObject({ code: 0, stderr: '' });
    expect(await kubectl(['apply', '-f', '-'], crd)).toMatchObject({ code: 0, stderr: '' });
    expect(await kubectl(['wait', '--for=condition=Established', `crd/${crdName}`, '--timeout=40s'])).toMatchObject({
      code: 0,
    });
  });

  afterAll(async () => {
    await kubectl(['delete', 'namespace', target.namespace, '--wait=false']);
    await kubectl(['delete', 'crd', crdName, '--wait=false']);
    await target.stop();
  });

  /** Runs a kubectl that must succeed without a word on stderr; returns what it printed. */
  const good = async (args: readonly string[], input?: object): Promise<string> => {
    const outcome = await kubectl(args, input);
    expect({ args, code: outcome.code, stderr: outcome.stderr }).toEqual({ args, code: 0, stderr: '' });
    return outcome.stdout.trim();
  };
  const bad = async (args: readonly string[], input?: object): Promise<string> => {
    const outcome: Outcome = await kubectl(args, input);
    expect({ args, failed: outcome.code !== 0 }).toEqual({ args, failed: true });
    return outcome.stderr.trim();
  };
  const json = async (...args: string[]) => JSON.parse(await good(['get', ...args, '-o', 'json']));
  const path = (resource: string, expression: string) => good(['get', resource, '-o', `jsonpath=${expression}`]);

  test('finds our kinds by plural, singular and short name', async () => {
    const resources = await good(['api-resources', '--no-headers', '-o', 'wide']);
    expect(resources).toMatch(/^pods +po +v1 +true +Pod +create,delete,deletecollection,get,list,patch,update,watch/m);
    expect(resources).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment/m);
    expect(resources).toMatch(/^leases +coordination.k8s.io\/v1 +true +Lease/m);
    expect(await good(['api-resources', '--api-group=contract.kubeai.io', '--no-headers'])).toMatch(
      /^widgets +wgt +contract.kubeai.io\/v1 +true +Widget$/,
    );
  });

  test('apply creates, leaves unchanged, changes and takes away', async () => {
    const env = (...names: string[]) => ({ env: names.map((name) => ({ name, value: name.toLowerCase() })) });
    const apply = (container: object) => good(['apply', '-f', '-'], deployment('applied', {}, container));
    expect(await apply(env('A', 'B'))).toBe('deployment.apps/applied created');
    expect(await apply(env('A', 'B'))).toBe('deployment.apps/applied unchanged');
    await good(['set', 'env', 'deployment/applied', 'BY_HAND=1']);
    expect(await apply(env('B', 'C'))).toBe('deployment.apps/applied configured');
    const { spec, metadata } = await json('deployment', 'applied');
    expect(spec.template.spec.containers[0].env.map(({ name }: { name: string }) => name).sort()).toEqual(
      ['BY_HAND', 'B', 'C'].sort(),
    );
    expect(spec).toMatchObject({
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    });
    expect(metadata.generation).toBe(3);
  });

  test('diff shows what apply would do, by its exit code', async () => {
    await good(['apply', '-f', '-'], deployment('compared'));
    expect((await kubectl(['diff', '-f', '-'], deployment('compared'))).code).toBe(0);
    const changed = await kubectl(['diff', '-f', '-'], deployment('compared', {}, { image: 'example/web:2' }));
    expect(changed.code).toBe(1);
    expect(changed.stdout).toContain('+      - image: example/web:2');
  });

  test('server-side apply keeps managers apart', async () => {
    const apply = (manager: string, replicas: number, ...more: string[]) => ({
      args: ['apply', '--server-side', `--field-manager=${manager}`, ...more, '-f', '-'],
      body: deployment('owned', { replicas }),
    });
    const first = apply('one', 0);
    expect(await good(first.args, first.body)).toBe('deployment.apps/owned serverside-applied');
    const second = apply('two', 1);
    expect(await bad(second.args, second.body)).toContain(
      'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
    );
    const forced = apply('two', 1, '--force-conflicts');
    await good(forced.args, forced.body);
    const { metadata } = await json('deployment', 'owned', '--show-managed-fields');
    const owner = metadata.managedFields.filter(
      ({ fieldsV1, subresource }: { fieldsV1: { 'f:spec'?: object }; subresource?: string }) =>
        subresource === undefined && fieldsV1['f:spec'] !== undefined && 'f:replicas' in fieldsV1['f:spec'],
    );
    expect(owner.map(({ manager, operation }: Record<string, string>) => [manager, operation])).toEqual([
      ['two', 'Apply'],
    ]);
    await good(['delete', 'deployment', 'owned']);
  });

  test('server-side apply removes what its manager no longer names', async () => {
    const labelled = (labels: object) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'pruned', labels },
      data: { a: '1' },
    });
    await good(['apply', '--server-side', '-f', '-'], labelled({ x: '1', y: '2' }));
    await good(['label', 'configmap', 'pruned', 'z=3']);
    await good(['apply', '--server-side', '-f', '-'], labelled({ y: '2' }));
    expect((await json('configmap', 'pruned')).metadata.labels).toEqual({ y: '2', z: '3' });
  });

  test('each kind of patch does its own', async () => {
    await good(
      ['create', '-f', '-'],
      deployment(
        'patched',
        {},
        {
          env: [
            { name: 'A', value: '1' },
            { name: 'B', value: '2' },
          ],
        },
      ),
    );
    const container = (fields: object) =>
      JSON.stringify({ spec: { template: { spec: { containers: [{ name: 'main', ...fields }] } } } });
    await good([
      'patch',
      'deployment',
      'patched',
      '-p',
      container({
        env: [
          { name: 'A', $patch: 'delete' },
          { name: 'C', value: '3' },
        ],
      }),
    ]);
    // New items of a merged list come first or last depending on the patch's origin; what counts is which there are.
    expect(
      (await path('deployment/patched', '{.spec.template.spec.containers[0].env[*].name}')).split(' ').sort(),
    ).toEqual(['B', 'C']);
    await good([
      'patch',
      'deployment',
      'patched',
      '--type=json',
      '-p',
      '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"x:2"}]',
    ]);
    await good([
      'patch',
      'deployment',
      'patched',
      '--type=merge',
      '-p',
      '{"spec":{"paused":true,"revisionHistoryLimit":3}}',
    ]);
    expect(
      await path(
        'deployment/patched',
        '{.spec.template.spec.containers[0].image} {.spec.paused} {.spec.revisionHistoryLimit}',
      ),
    ).toBe('x:2 true 3');
    expect(await good(['patch', 'deployment', 'patched', '--type=merge', '-p', '{"spec":{"paused":true}}'])).toBe(
      'deployment.apps/patched patched (no change)',
    );
  });

  test('scale, set image, label, annotate and rollout work on a deployment', async () => {
    await good(['create', '-f', '-'], deployment('handled'));
    expect(await good(['scale', 'deployment', 'handled', '--replicas=0', '--current-replicas=0'])).toBe(
      'deployment.apps/handled scaled',
    );
    expect(await good(['set', 'image', 'deployment/handled', 'main=example/web:2'])).toBe(
      'deployment.apps/handled image updated',
    );
    await good(['label', 'deployment', 'handled', 'tier=front']);
    await good(['annotate', 'deployment', 'handled', 'note=x']);
    expect(await good(['rollout', 'restart', 'deployment/handled'])).toBe('deployment.apps/handled restarted');
    const { metadata, spec } = await json('deployment', 'handled');
    expect([metadata.labels.tier, metadata.annotations.note]).toEqual(['front', 'x']);
    expect(spec.template.metadata.annotations['kubectl.kubernetes.io/restartedAt']).toMatch(/^\d{4}-/);
    const status = JSON.stringify({ status: { observedGeneration: metadata.generation } });
    await good(['patch', 'deployment', 'handled', '--subresource=status', '--type=merge', '-p', status]);
    expect(await good(['rollout', 'status', 'deployment/handled', '--timeout=40s'])).toContain(
      'deployment "handled" successfully rolled out',
    );
    expect(await bad(['scale', 'deployment', 'handled', '--replicas=1', '--current-replicas=7'])).toContain(
      'Expected replicas to be 7',
    );
  });

  test('get shows the columns people know', async () => {
    await good(['apply', '-f', '-'], deployment('shown'));
    const header = async (...args: string[]) => (await good(['get', ...args])).split('\n')[0]?.split(/ {2,}/);
    expect(await header('deployment', 'shown')).toEqual(['NAME', 'READY', 'UP-TO-DATE', 'AVAILABLE', 'AGE']);
    expect(await header('deployment', 'shown', '-o', 'wide')).toEqual([
      'NAME',
      'READY',
      'UP-TO-DATE',
      'AVAILABLE',
      'AGE',
      'CONTAINERS',
      'IMAGES',
      'SELECTOR',
    ]);
    expect(await header('namespace', target.namespace)).toEqual(['NAME', 'STATUS', 'AGE']);
    expect(await header('serviceaccount', 'default')).toEqual(expect.arrayContaining(['NAME', 'AGE']));
    expect(await good(['get', 'configmap', 'kube-root-ca.crt', '--no-headers'])).toMatch(/^kube-root-ca.crt +1 +\d+s$/);
  });

  test('describe explains a deployment without complaint', async () => {
    await good(
      ['apply', '-f', '-'],
      deployment('described', {}, { ports: [{ containerPort: 80 }], resources: { limits: { memory: '1Gi' } } }),
    );
    const text = await good(['describe', 'deployment', 'described']);
    expect(text).toMatch(/^StrategyType: +RollingUpdate$/m);
    expect(text).toMatch(/^ +memory: +1Gi$/m);
  });

  test('create speaks in its own encoding and is understood', async () => {
    expect(await good(['create', 'configmap', 'made', '--from-literal=a=b'])).toBe('configmap/made created');
    expect((await json('configmap', 'made')).data).toEqual({ a: 'b' });
    await good(['create', 'secret', 'generic', 'made', '--from-literal=a=b']);
    expect((await json('secret', 'made')).data).toEqual({ a: 'Yg==' });
    await good([
      'create',
      'deployment',
      'made',
      '--image=example/web',
      '--replicas=0',
      '--port=80',
      '--',
      'serve',
      '--fast',
    ]);
    const { spec } = await json('deployment', 'made');
    expect([spec.replicas, spec.selector]).toEqual([0, { matchLabels: { app: 'made' } }]);
    expect(spec.template.spec.containers[0]).toMatchObject({
      image: 'example/web',
      command: ['serve', '--fast'],
      ports: [{ containerPort: 80, protocol: 'TCP' }],
    });
    await good(['create', 'service', 'clusterip', 'made', '--tcp=80:http']);
    expect((await json('service', 'made')).spec).toMatchObject({
      ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }],
      selector: { app: 'made' },
    });
    await good(['create', 'role', 'made', '--verb=get,list', '--resource=pods']);
    expect((await json('role', 'made')).rules).toEqual([
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
    ]);
    await good(['create', 'poddisruptionbudget', 'made', '--selector=app=made', '--min-available=50%']);
    expect((await json('pdb', 'made')).spec).toEqual({
      minAvailable: '50%',
      selector: { matchLabels: { app: 'made' } },
    });
    // The flag for the percentage has another name in newer versions of kubectl.
    await good(['autoscale', 'deployment', 'made', '--min=2', '--max=5']);
    expect((await json('hpa', 'made')).spec).toMatchObject({
      minReplicas: 2,
      maxReplicas: 5,
      scaleTargetRef: { kind: 'Deployment', name: 'made' },
    });
    expect(await bad(['create', 'configmap', 'made'])).toContain('configmaps "made" already exists');
  });

  test('auth answers who and whether, and accounts get tokens', async () => {
    expect(await good(['auth', 'can-i', 'create', 'pods'])).toBe('yes');
    expect(await good(['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.groups}'])).toContain(
      'system:authenticated',
    );
    await good(['create', 'serviceaccount', 'caller']);
    const token = await good(['create', 'token', 'caller', '--audience=kubeai.io', '--duration=10m']);
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    expect(claims).toMatchObject({ aud: ['kubeai.io'], sub: `system:serviceaccount:${target.namespace}:caller` });
    const review = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: ['kubeai.io'] },
    };
    const answer = JSON.parse(await good(['create', '-f', '-', '-o', 'json'], review));
    expect(answer.status).toMatchObject({
      authenticated: true,
      audiences: ['kubeai.io'],
      user: { username: `system:serviceaccount:${target.namespace}:caller` },
    });
  });

  test('a custom resource is defaulted, printed, scaled, awaited and explained', async () => {
    expect(await good(['apply', '-f', '-'], widget('one', { size: 'small', note: 'hello' }))).toBe(
      'widget.contract.kubeai.io/one created',
    );
    expect((await json('widget', 'one')).spec).toEqual({ size: 'small', note: 'hello', replicas: 1 });
    expect(await good(['scale', 'widget', 'one', '--replicas=3'])).toBe('widget.contract.kubeai.io/one scaled');
    const status = JSON.stringify({ status: { replicas: 3, conditions: [{ type: 'Ready', status: 'True' }] } });
    await good(['patch', 'wgt', 'one', '--subresource=status', '--type=merge', '-p', status]);
    expect(await good(['get', 'wgt', '-o', 'wide'])).toMatch(
      /^NAME +SIZE +REPLICAS +READY +NOTE\none +small +3 +True +hello$/,
    );
    await good(['wait', '--for=condition=Ready', 'widget/one', '--timeout=40s']);
    await good(['wait', '--for=jsonpath={.status.replicas}=3', 'widget/one', '--timeout=40s']);
    expect((await json('widget', 'one')).metadata.generation).toBe(2);
    const explained = await good(['explain', 'widget.spec']);
    expect(explained).toContain('What is wanted of the widget.');
    expect(explained).toMatch(/size\t<string> -required-\n {2}enum: large, small\n {4}How big it is\./);
  });

  test('a wrong custom resource is refused with every field', async () => {
    const text = await bad(
      ['create', '-f', '-'],
      widget('wrong', { size: 'huge', note: 'x'.repeat(21), replicas: -1 }),
    );
    expect(text).toContain('The Widget "wrong" is invalid:');
    expect(text).toMatch(/\* spec\.size: Unsupported value: "huge": supported values: "large", "small"/);
    expect(text).toMatch(/\* spec\.note: Too long: may not be (?:more|longer) than 20/);
    expect(text).toMatch(
      /\* spec\.replicas: Invalid value: -1: spec\.replicas in body should be greater than or equal to 0/,
    );
    expect(await bad(['create', '-f', '-'], widget('missing', {}))).toContain('spec.size: Required value');
    expect(await bad(['create', '-f', '-'], widget('many', { size: 'small', replicas: 6 }))).toContain(
      'a small widget has at most 5 replicas',
    );
    expect(await bad(['create', '-f', '-'], widget('odd', { size: 'small', bogus: 1 }))).toContain(
      'strict decoding error: unknown field "spec.bogus"',
    );
  });

  test('a wrong built-in is refused with every field', async () => {
    const text = await bad(['create', '-f', '-'], {
      ...deployment('wrong'),
      spec: {
        selector: { matchLabels: { app: 'x' } },
        template: { metadata: { labels: { app: 'y' } }, spec: { containers: [{ name: 'Main' }] } },
      },
    });
    expect(text).toContain('The Deployment "wrong" is invalid:');
    expect(text).toMatch(
      /\* spec\.template\.metadata\.labels: Invalid value: .*: `selector` does not match template `labels`/,
    );
    expect(text).toMatch(/\* spec\.template\.spec\.containers\[0\]\.image: Required value/);
    expect(text).toMatch(
      /\* spec\.template\.spec\.containers\[0\]\.name: Invalid value: "Main": a lowercase RFC 1123 label/,
    );
    expect(await bad(['create', '-f', '-'], deployment('typo', { replcas: 1 }))).toContain(
      'strict decoding error: unknown field "spec.replcas"',
    );
    expect(await bad(['get', 'deployment', 'nowhere'])).toBe(
      'Error from server (NotFound): deployments.apps "nowhere" not found',
    );
    expect(await bad(['get', 'nothings'])).toBe('error: the server doesn\'t have a resource type "nothings"');
  });

  test('a watch shows changes as they come', async () => {
    const watch = kubectl.start(['get', 'configmap', '-w', '-l', 'watched=yes', '--no-headers']);
    let seen = '';
    const saw = (pattern: RegExp) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!pattern.test(seen)) return;
          watch.stdout?.off('data', look);
          resolve();
        };
        watch.stdout?.on('data', look);
        look();
      });
    watch.stdout?.on('data', (part: Buffer) => {
      seen += part.toString('utf8');
    });
    await good(['create', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'moving', labels: { watched: 'yes' } },
      data: { a: '1' },
    });
    await saw(/^moving +1 /m);
    await good(['patch', 'configmap', 'moving', '-p', '{"data":{"b":"2"}}']);
    await saw(/^moving +2 /m);
    watch.kill();
    await new Promise((resolve) => watch.once('close', resolve));
  });

  test('selectors select', async () => {
    for (const [name, tier] of [
      ['s1', 'a'],
      ['s2', 'b'],
      ['s3', 'c'],
    ] as const) {
      await good(['create', '-f', '-'], {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, labels: { tier } },
      });
    }
    const names = async (...args: string[]) =>
      (await good(['get', 'configmap', '-o', 'jsonpath={.items[*].metadata.name}', ...args]))
        .split(' ')
        .filter(Boolean);
    expect(await names('-l', 'tier in (a,b)')).toEqual(['s1', 's2']);
    expect(await names('-l', 'tier,tier!=b')).toEqual(['s1', 's3']);
    expect(await names('--field-selector', 'metadata.name=s3')).toEqual(['s3']);
    expect(await names('-l', 'tier', '--chunk-size=1')).toEqual(['s1', 's2', 's3']);
    // Newer versions of kubectl add the namespace.
    const deleted = await good(['delete', 'configmap', '-l', 'tier']);
    expect(deleted.replaceAll(` from ${target.namespace} namespace`, '')).toBe(
      'configmap "s1" deleted\nconfigmap "s2" deleted\nconfigmap "s3" deleted',
    );
  });

  test('what get prints can be replaced, unless it is too old', async () => {
    await good(['create', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'swapped' },
      data: { a: '1' },
    });
    const before = await json('configmap', 'swapped');
    await good(['replace', '-f', '-'], { ...before, data: { a: '2' } });
    const text = await bad(['replace', '-f', '-'], { ...before, data: { a: '3' } });
    expect(text).toContain(
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  });

  test('events are listed with the object they speak of', async () => {
    const involvedObject = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shown', namespace: target.namespace };
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    await good(['create', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'shown.1' },
      involvedObject,
      reason: 'Tested',
      message: 'It is tested',
      type: 'Normal',
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      source: { component: 'contract' },
    });
    expect(await good(['get', 'events', '--field-selector', 'reason=Tested', '--no-headers'])).toMatch(
      /^\S+ +Normal +Tested +deployment\/shown +It is tested$/,
    );
  });

  test('a namespace is gone when delete returns', async () => {
    const name = `${target.namespace}-gone`;
    await good(['create', 'namespace', name]);
    await good(['create', 'configmap', 'inside', '-n', name]);
    expect(await kubectl(['delete', 'namespace', name])).toMatchObject({ code: 0 });
    expect(await bad(['get', 'namespace', name])).toContain('NotFound');
  });
});
