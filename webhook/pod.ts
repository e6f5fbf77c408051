// A pod as far as we read it, and its door. Fields that we do not read pass through untouched: the objects here are the
// very objects that came in. In Kubernetes null means absent, so every optional field may be null.
import { z } from 'zod';
import { maxContainers } from './limits.ts';

const text = z.string().nullish();
const texts = z.record(z.string(), z.string()).nullish();
const whole = z.number().nullish();
const numberOrName = z.union([z.number(), z.string()]);

const portSchema = z.looseObject({ containerPort: z.number(), name: text, protocol: text, hostPort: whole });
const handlerSchema = z.looseObject({
  httpGet: z.looseObject({ port: numberOrName, scheme: text }).nullish(),
  tcpSocket: z.looseObject({ port: numberOrName }).nullish(),
  grpc: z.looseObject({ port: z.number() }).nullish(),
});
const resourcesSchema = z.looseObject({
  limits: z.record(z.string(), numberOrName).nullish(),
  requests: z.record(z.string(), numberOrName).nullish(),
  claims: z.array(z.unknown()).nullish(),
});
const containerSchema = z.looseObject({
  name: z.string(),
  image: text,
  command: z.array(z.string()).nullish(),
  args: z.array(z.string()).nullish(),
  env: z.array(z.looseObject({ name: z.string(), value: text })).nullish(),
  ports: z.array(portSchema).nullish(),
  resources: resourcesSchema.nullish(),
  livenessProbe: handlerSchema.nullish(),
  readinessProbe: handlerSchema.nullish(),
  startupProbe: handlerSchema.nullish(),
  lifecycle: z.looseObject({ postStart: handlerSchema.nullish(), preStop: handlerSchema.nullish() }).nullish(),
  restartPolicy: text,
});
const affinitySchema = z.looseObject({
  nodeAffinity: z
    .looseObject({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .looseObject({
          nodeSelectorTerms: z.array(
            z.looseObject({
              matchExpressions: z
                .array(z.looseObject({ key: z.string(), operator: z.string(), values: z.array(z.string()).nullish() }))
                .nullish(),
            }),
          ),
        })
        .nullish(),
    })
    .nullish(),
});
const podSchema = z.looseObject({
  metadata: z
    .looseObject({
      name: text,
      generateName: text,
      namespace: text,
      labels: texts,
      annotations: texts,
      ownerReferences: z.array(z.looseObject({ kind: z.string() })).nullish(),
    })
    .nullish(),
  spec: z.looseObject({
    containers: z.array(containerSchema).min(1).max(maxContainers),
    initContainers: z.array(containerSchema).max(maxContainers).nullish(),
    volumes: z.array(z.looseObject({ name: z.string() })).nullish(),
    hostNetwork: z.boolean().nullish(),
    restartPolicy: text,
    nodeSelector: texts,
    affinity: affinitySchema.nullish(),
    os: z.looseObject({ name: z.string() }).nullish(),
    resources: resourcesSchema.nullish(),
    terminationGracePeriodSeconds: whole,
  }),
});

export type Pod = z.output<typeof podSchema>;
export type Container = z.output<typeof containerSchema>;
export type ContainerPort = z.output<typeof portSchema>;
export type Handler = z.output<typeof handlerSchema>;

/** The pod, or one sentence on what keeps this object from being one. */
export function parsePod(
  object: unknown,
): { readonly ok: true; readonly pod: Pod } | { readonly ok: false; readonly problem: string } {
  const parsed = podSchema.safeParse(object);
  // The object itself, not zod's copy: what we do not read must come back as it came, in its order.
  if (parsed.success) return { ok: true, pod: object as Pod };
  const issue = parsed.error.issues[0]!;
  return { ok: false, problem: `${issue.path.map(String).join('.') || 'object'}: ${issue.message}` };
}

export const labelOf = (pod: Pod, name: string): string | undefined => own(pod.metadata?.labels, name);
export const annotationOf = (pod: Pod, name: string): string | undefined => own(pod.metadata?.annotations, name);

const own = (map: Readonly<Record<string, string>> | null | undefined, key: string): string | undefined =>
  map !== null && map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;

/** What runs as long as the pod does, in the order in which a Service looks for the name of a port. */
export const runningContainers = ({ spec }: Pod): readonly Container[] => [
  ...spec.containers,
  ...(spec.initContainers ?? []).filter(isNativeSidecar),
];
const isNativeSidecar = (container: Container): boolean => container.restartPolicy === 'Always';
export const isPort = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 65_535;
/** A port without a protocol is TCP. */
export const isTcp = (port: ContainerPort): boolean => (port.protocol ?? 'TCP') === 'TCP';
