// The schema as Kubernetes wants it: OpenAPI v3, structural. A structural schema has a type at every level, no type or
// default inside anyOf, and no `additionalProperties: false`; zod's own output is nearly that, and the few steps of
// `structural` are the rest.
//
// There is no scale subresource on purpose. A policy has no replicas of its own: `kubectl scale aiap` or an HPA pointed
// at a policy could only write `maxReplicas` or a status field, and either would look like scaling the target while
// doing something else. People scale the target itself, which has a scale subresource.
import { stringify } from 'yaml';
import { z } from 'zod';
import { apiGroup, kind } from './parse-policy.ts';
import { specSchema } from './schema.ts';
import { statusSchema } from './status.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type Schema = { readonly [key: string]: Json };

export const resourceName = `aiinferenceautoscalerpolicies.${apiGroup}`;

/** The CustomResourceDefinition as a plain object, ready to be written as YAML or posted to an API server. */
export function customResourceDefinition(): Schema {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: resourceName, labels: { 'app.kubernetes.io/part-of': 'kubeai-autoscaler' } },
    spec: {
      group: apiGroup,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural: 'aiinferenceautoscalerpolicies',
        singular: 'aiinferenceautoscalerpolicy',
        shortNames: ['aiap', 'aipolicy'],
        categories: ['autoscaling', 'kubeai'],
      },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: printerColumns,
          schema: { openAPIV3Schema: objectSchema() },
        },
      ],
    },
  };
}

/** The same as the text of the file in `crds/`. Kubernetes reads YAML 1.1, to which a bare Off is a boolean. */
export const customResourceText = (): string =>
  `# Generated from packages/policy by \`npm run crd\`. Do not edit.\n${stringify(customResourceDefinition(), { version: '1.1', lineWidth: 120, aliasDuplicateObjects: false })}`;

const column = (name: string, type: string, jsonPath: string, description: string, priority = 0): Schema => ({
  name,
  type,
  jsonPath,
  description,
  ...(priority === 0 ? {} : { priority }),
});

const printerColumns: readonly Schema[] = [
  column('Target', 'string', '.spec.targetRef.name', 'What is scaled'),
  column('Min', 'integer', '.spec.minReplicas', 'Fewest replicas'),
  column('Max', 'integer', '.spec.maxReplicas', 'Most replicas'),
  column('Desired', 'integer', '.status.desiredReplicas', 'Replicas the last decision wants'),
  column('Replicas', 'integer', '.status.currentReplicas', 'Replicas the target asks for now'),
  column('Ready', 'string', '.status.conditions[?(@.type=="Ready")].status', 'Whether the policy is doing its job'),
  column('Reason', 'string', '.status.lastDecision.reason', 'Why the size is what it is'),
  column('Mode', 'string', '.spec.mode', 'Observe, Recommend or Active'),
  column('Age', 'date', '.metadata.creationTimestamp', 'Since when the policy exists'),
  column('Kind', 'string', '.spec.targetRef.kind', 'Kind of the target', 1),
  column('Serving', 'integer', '.status.readyReplicas', 'Replicas that serve', 1),
  column('P99', 'number', '.status.currentMetrics.latencyP99Ms', 'Latency p99 in milliseconds', 1),
  column(
    'TTFT',
    'number',
    '.status.currentMetrics.timeToFirstTokenP95Ms',
    'Time to first token p95 in milliseconds',
    1,
  ),
  column('GPU', 'number', '.status.currentMetrics.gpuUtilizationPercent', 'GPU utilisation in percent', 1),
  column('Queue', 'number', '.status.currentMetrics.requestQueueDepth', 'Requests that wait', 1),
  column('Last-Scale', 'date', '.status.lastScaleTime', 'When the size was last changed', 1),
  column('Message', 'string', '.status.lastDecision.message', 'The last decision in a sentence', 1),
];

function objectSchema(): Schema {
  return {
    type: 'object',
    description: 'How many replicas of a model server there should be, and why.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: structural(jsonSchemaOf(specSchema)),
      status: structural(jsonSchemaOf(statusSchema)),
    },
  };
}

const jsonSchemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as Schema;

/** Bounds that zod writes for every integer; they say nothing beyond what an integer is in JSON. */
const isIntegerBound = (key: string, value: Json) =>
  (key === 'minimum' || key === 'maximum') && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER;

/** The same schema in the dialect of a CustomResourceDefinition. Walks only where schemas are, never into defaults. */
function structural(schema: Schema): Schema {
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const kept = Object.entries(schema).filter(([key, value]) => {
    if (key === '$schema' || isIntegerBound(key, value)) return false;
    // Other fields are pruned by the API server, which is what a closed object means there; a loose one is preserved.
    if (key === 'additionalProperties') return typeof value === 'object' && !preserves;
    // A value of several types cannot be written structurally: it is preserved as it is and our parser checks it.
    if (key === 'anyOf') return !preserves;
    // date-time is checked by format; a pattern of 600 characters helps nobody who runs `kubectl explain`.
    return !(key === 'pattern' && schema['format'] === 'date-time');
  });
  return Object.fromEntries(kept.map(([key, value]) => [key, nested(key, value)]));
}

function nested(key: string, value: Json): Json {
  if (key === 'properties') {
    return Object.fromEntries(
      Object.entries(value as Schema).map(([name, schema]) => [name, structural(schema as Schema)]),
    );
  }
  return key === 'items' || key === 'additionalProperties' ? structural(value as Schema) : value;
}
