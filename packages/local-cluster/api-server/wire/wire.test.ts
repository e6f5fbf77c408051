// Bodies that kubectl 1.32 sent, read as the JSON it would have sent instead.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ApiError } from '../api-error.ts';
import { decodeWire } from './wire.ts';

const captured = {
  deployment:
    'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EscBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEpUBCAISDAoKCgNhcHASA3dlYhp7ChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViElsSPQoFbmdpbngSBW5naW54GgVzZXJ2ZRoGLS1mYXN0KgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA=',
  secret: 'azhzAAoMCgJ2MRIGU2VjcmV0Eh0KEQoBcxIAGgAiACoAMgA4AEIAEgYKAWESAWIaABoAIgA=',
  tokenRequest:
    'azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIoChAKABIAGgAiACoAMgA4AEIAEg4KCWt1YmVhaS5pbyDYBBoECgASABoAIgA=',
  budget:
    'azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSOgoRCgFwEgAaACIAKgAyADgAQgASGQoJCAEQABoDNTAlEgwKCgoDYXBwEgN3ZWIaCggAGAAgACgAMAAaACIA',
  quota: 'azhzAAoTCgJ2MRINUmVzb3VyY2VRdW90YRIwChEKAXESABoAIgAqADIAOABCABIZCgoKA2NwdRIDCgEyCgsKBHBvZHMSAwoBMxoAGgAiAA==',
} as const;
const bytes = (name: keyof typeof captured) => Buffer.from(captured[name], 'base64');

test('a deployment: lists, maps, nested messages, and no zero where nothing was said', () => {
  expect(decodeWire(bytes('deployment'))).toEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      strategy: {},
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [
            {
              name: 'nginx',
              image: 'nginx',
              command: ['serve', '--fast'],
              ports: [{ containerPort: 80 }],
              resources: {},
            },
          ],
        },
      },
    },
    status: {},
  });
});

test.each<[keyof typeof captured, object]>([
  ['secret', { data: { a: 'Yg==' } }],
  ['tokenRequest', { spec: { audiences: ['kubeai.io'], expirationSeconds: 600 } }],
  ['budget', { spec: { minAvailable: '50%', selector: { matchLabels: { app: 'web' } } } }],
  ['quota', { spec: { hard: { cpu: '2', pods: '3' } } }],
])('a %s', (name, expected) => {
  expect(decodeWire(bytes(name))).toMatchObject(expected);
});

test('whatever else comes is refused in words, never with a crash', () => {
  const names = Object.keys(captured) as (keyof typeof captured)[];
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.nat(400), fc.nat(255), fc.boolean(), (name, at, value, cut) => {
      const body = Buffer.from(bytes(name));
      const place = at % body.length;
      body[place] = value;
      try {
        decodeWire(cut ? body.subarray(0, place) : body);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});
