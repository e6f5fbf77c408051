// The environment of a container, in the order a real kubelet builds it: Services, envFrom, env; later ones win, and a
// value may name what stands before it. What it reads is given by `ConfigurationSource`.
import type { ConfigMap, Container, EnvironmentVariable, KeySelector, Secret, Service } from '../workloads/objects.ts';
import { fieldOf, type PodFacts, resourceOf } from './downward.ts';
import { expand } from './expansion.ts';
import { serviceVariables } from './service-variables.ts';

export interface ConfigurationSource {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
}

/** Something that a container's configuration names is not there; the message is for the pod's status. */
export class MissingConfiguration extends Error {
  override readonly name = 'MissingConfiguration';
}

/** Throws MissingConfiguration where a ConfigMap, a Secret or a key of one is missing and not optional. */
export async function environmentOf(
  container: Container,
  facts: PodFacts,
  services: readonly Service[],
  source: ConfigurationSource,
): Promise<Map<string, string>> {
  const environment = new Map(serviceVariables(services));
  const namespace = facts.pod.metadata.namespace ?? '';
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const entries = configMapRef
      ? await mapEntries(source, namespace, configMapRef)
      : await secretEntries(source, namespace, secretRef ?? {});
    for (const [key, value] of entries) environment.set(`${prefix}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = await variableValue(variable, container, facts, source, environment);
    if (value !== undefined) environment.set(variable.name, value);
  }
  return environment;
}

async function variableValue(
  { value, valueFrom }: EnvironmentVariable,
  container: Container,
  facts: PodFacts,
  source: ConfigurationSource,
  before: ReadonlyMap<string, string>,
): Promise<string | undefined> {
  const { pod } = facts;
  const namespace = pod.metadata.namespace ?? '';
  if (valueFrom?.fieldRef) {
    const field = fieldOf(facts, valueFrom.fieldRef);
    if (field === undefined) throw new MissingConfiguration(`unsupported fieldPath: ${valueFrom.fieldRef.fieldPath}`);
    return field;
  }
  if (valueFrom?.resourceFieldRef) {
    const { containerName = container.name, resource } = valueFrom.resourceFieldRef;
    const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
    const amount = resourceOf(
      facts,
      all.find(({ name }) => name === containerName),
      valueFrom.resourceFieldRef,
    );
    if (amount === undefined) throw new MissingConfiguration(`unsupported container resource: ${resource}`);
    return amount;
  }
  if (valueFrom?.configMapKeyRef) {
    const { name = '', key } = valueFrom.configMapKeyRef;
    const map = await source.configMap(namespace, name);
    return keyed(map?.data?.[key], map !== undefined, valueFrom.configMapKeyRef, 'ConfigMap', namespace);
  }
  if (valueFrom?.secretKeyRef) {
    const { name = '', key } = valueFrom.secretKeyRef;
    const secret = await source.secret(namespace, name);
    const data = secret?.data?.[key];
    const text = data === undefined ? undefined : Buffer.from(data, 'base64').toString();
    return keyed(text, secret !== undefined, valueFrom.secretKeyRef, 'Secret', namespace);
  }
  return expand(value ?? '', before);
}

function keyed(value: string | undefined, exists: boolean, selector: KeySelector, kind: string, namespace: string) {
  if (value !== undefined || selector.optional === true) return value;
  const { name = '', key } = selector;
  if (!exists) throw new MissingConfiguration(`${kind.toLowerCase()} "${name}" not found`);
  throw new MissingConfiguration(`couldn't find key ${key} in ${kind} ${namespace}/${name}`);
}

async function mapEntries(
  source: ConfigurationSource,
  namespace: string,
  { name = '', optional }: { name?: string; optional?: boolean },
): Promise<[string, string][]> {
  const map = await source.configMap(namespace, name);
  if (map === undefined && optional !== true) throw new MissingConfiguration(`configmap "${name}" not found`);
  return Object.entries(map?.data ?? {});
}

async function secretEntries(
  source: ConfigurationSource,
  namespace: string,
  { name = '', optional }: { name?: string; optional?: boolean },
): Promise<[string, string][]> {
  const secret = await source.secret(namespace, name);
  if (secret === undefined && optional !== true) throw new MissingConfiguration(`secret "${name}" not found`);
  return Object.entries(secret?.data ?? {}).map(([key, data]) => [key, Buffer.from(data, 'base64').toString()]);
}
