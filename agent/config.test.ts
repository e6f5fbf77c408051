import { expect, test } from '@jest/globals';
import { parseConfig } from './config.ts';

const least = {
  KUBEAI_POD_NAME: 'llama-0',
  KUBEAI_POD_NAMESPACE: 'models',
  KUBEAI_POD_UID: 'uid',
  KUBEAI_POD_IP: '10.0.0.7',
  KUBEAI_UPSTREAM_PORT: '8000',
};

test('what is needed is enough, the rest has defaults', () => {
  expect(parseConfig(least)).toEqual({
    ok: true,
    value: {
      pod: { name: 'llama-0', namespace: 'models', uid: 'uid' },
      podIp: '10.0.0.7',
      listenPort: 15_001,
      upstreamPort: 8_000,
      adminPort: 15_020,
      reach: 'auto',
      controller: undefined,
      engine: 'auto',
      gpuSource: 'auto',
      dcgmUrl: undefined,
      smiCommand: 'nvidia-smi',
      dcgmiCommand: 'dcgmi',
      searchPath: '/usr/bin:/bin',
      concurrencyLimit: 0,
      logLevel: 'info',
      drain: 30_000,
    },
  });
});

test('a controller brings its credentials, and the name to expect', () => {
  const parsed = parseConfig({
    ...least,
    KUBEAI_CONTROLLER_URL: 'https://127.96.0.9:9444',
    KUBEAI_CONTROLLER_SERVER_NAME: 'kubeai-controller.kubeai-system.svc',
  });
  expect(parsed.ok && parsed.value.controller).toMatchObject({
    serverName: 'kubeai-controller.kubeai-system.svc',
    tokenFile: '/var/run/secrets/kubeai.io/token',
    caFile: '/var/run/secrets/kubeai.io/ca.crt',
  });
});

test.each<[string, Record<string, string>, string]>([
  ['an empty name is an unset one', { KUBEAI_POD_NAME: '' }, 'KUBEAI_POD_NAME'],
  ['a port is a number', { KUBEAI_UPSTREAM_PORT: '80a' }, 'KUBEAI_UPSTREAM_PORT'],
  ['a port has a bound', { KUBEAI_ADMIN_PORT: '70000' }, 'KUBEAI_ADMIN_PORT'],
  ['the agent cannot be its own server', { KUBEAI_LISTEN_PORT: '8000' }, 'KUBEAI_LISTEN_PORT'],
  ['a token travels only over TLS', { KUBEAI_CONTROLLER_URL: 'http://a' }, 'KUBEAI_CONTROLLER_URL'],
  ['a reach is one of few', { KUBEAI_REACH: 'far' }, 'KUBEAI_REACH'],
  ['a GPU source is one of few', { KUBEAI_GPU_SOURCE: 'guess' }, 'KUBEAI_GPU_SOURCE'],
  ['dcgm needs its address', { KUBEAI_GPU_SOURCE: 'dcgm' }, 'KUBEAI_DCGM_URL'],
  ['a limit is not negative', { KUBEAI_CONCURRENCY_LIMIT: '-1' }, 'KUBEAI_CONCURRENCY_LIMIT'],
  ['a log level is one of few', { KUBEAI_LOG_LEVEL: 'loud' }, 'KUBEAI_LOG_LEVEL'],
])('%s', (_name, change, field) => {
  const parsed = parseConfig({ ...least, ...change });
  expect(parsed).toEqual({ ok: false, problems: [{ field, message: expect.any(String) }] });
});
