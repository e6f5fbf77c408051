import { expect, test } from '@jest/globals';
import { builtInType } from './built-in-types.ts';
import { decoded } from './decoding.ts';
import type { JsonObject } from './kube-object.ts';

const pod = (spec: JsonObject) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec });
const decode = (spec: JsonObject) => decoded(pod(spec), builtInType('V1Pod'));

test('unknown fields and nulls fall away, unknown ones are named by their path', () => {
  const { value, unknown } = decode({
    containers: [{ name: 'a', imagee: 'x', command: null }],
    nodeName: null,
    odd: {},
  });
  expect(value.spec).toEqual({ containers: [{ name: 'a' }] });
  expect(unknown).toEqual(['unknown field "spec.containers[0].imagee"', 'unknown field "spec.odd"']);
});

test.each<[string, JsonObject]>([
  [
    'an amount may be written as a number',
    { containers: [{ name: 'a', resources: { limits: { cpu: 1, memory: '1Gi' } } }] },
  ],
  [
    'a port may be named or numbered',
    {
      containers: [
        { name: 'a', readinessProbe: { httpGet: { port: 'http' } }, livenessProbe: { tcpSocket: { port: 80 } } },
      ],
    },
  ],
])('%s', (_, spec) => {
  expect(decode(spec).value.spec).toEqual(spec);
});

test.each<[JsonObject, string]>([
  [{ containers: {} }, 'cannot unmarshal object into Go struct field Pod.spec.containers of type []v1.Container'],
  [
    { containers: [{ name: 1 }] },
    'cannot unmarshal number into Go struct field Pod.spec.containers.name of type string',
  ],
  [
    { activeDeadlineSeconds: 1.5 },
    'cannot unmarshal number into Go struct field Pod.spec.activeDeadlineSeconds of type int64',
  ],
  [{ nodeSelector: { a: true } }, 'cannot unmarshal bool into Go struct field Pod.spec.nodeSelector.a of type string'],
  [{ hostNetwork: 'true' }, 'cannot unmarshal string into Go struct field Pod.spec.hostNetwork of type bool'],
])('%j is refused', (spec, message) => {
  expect(() => decode(spec)).toThrow(`Pod in version "v1" cannot be handled as a Pod: json: ${message}`);
});
