// An independent judge: what the API server would refuse about a pod, as far as an injection can break it.

interface Named {
  readonly name?: string;
}
type Loose = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Loose[] => (Array.isArray(value) ? (value as Loose[]) : []);
const part = (value: unknown): Loose => (typeof value === 'object' && value !== null ? (value as Loose) : {});

const repeated = (names: readonly unknown[]) => names.filter((name, index) => names.indexOf(name) !== index);

/** Every rule that the pod breaks; empty for a pod that would be stored. */
export function podProblems(pod: unknown): string[] {
  const spec = part(part(pod)['spec']);
  const containers = list(spec['containers']);
  const initContainers = list(spec['initContainers']);
  const volumes = new Set(list(spec['volumes']).map(({ name }) => name));
  const problems = repeated([...containers, ...initContainers].map(({ name }) => name)).map(
    (name) => `container ${name} twice`,
  );
  problems.push(...repeated(list(spec['volumes']).map(({ name }) => name)).map((name) => `volume ${name} twice`));

  for (const container of [...containers, ...initContainers]) {
    const at = String(container['name']);
    const ports = list(container['ports']) as readonly (Loose & Named)[];
    const portNames = ports.flatMap(({ name }) => name ?? []);
    problems.push(...repeated(portNames).map((name) => `${at}: port name ${name} twice`));
    for (const { name, containerPort } of ports) {
      if (typeof name === 'string' && (name.length > 15 || !/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name)))
        problems.push(`${at}: port name ${name}`);
      if (!(Number(containerPort) >= 1 && Number(containerPort) <= 65_535))
        problems.push(`${at}: port ${containerPort}`);
    }
    for (const mount of list(container['volumeMounts'])) {
      if (!volumes.has(mount['name'])) problems.push(`${at}: mounts ${mount['name']}, which is no volume`);
    }
    for (const handler of handlersOf(container)) {
      for (const kind of ['httpGet', 'tcpSocket']) {
        const port = part(part(handler)[kind])['port'];
        if (typeof port === 'string' && !portNames.includes(port))
          problems.push(`${at}: a probe asks port ${port}, which is not declared`);
      }
    }
    const plainInit = initContainers.includes(container) && container['restartPolicy'] !== 'Always';
    if (
      plainInit &&
      ['readinessProbe', 'livenessProbe', 'startupProbe', 'lifecycle'].some((field) => container[field])
    ) {
      problems.push(`${at}: an init container has no probes`);
    }
    if (containers.includes(container) && container['restartPolicy'])
      problems.push(`${at}: restartPolicy on a container`);
    const env = list(container['env']).map(({ name }) => name);
    problems.push(...repeated(env).map((name) => `${at}: variable ${name} twice`));
  }
  return problems;
}

const handlersOf = (container: Loose): unknown[] => {
  const lifecycle = part(container['lifecycle']);
  return [
    container['livenessProbe'],
    container['readinessProbe'],
    container['startupProbe'],
    lifecycle['postStart'],
    lifecycle['preStop'],
  ];
};

/** Which container and number a Service reaches by the name of a port: containers first, then native sidecars. */
export function resolvePort(pod: unknown, name: string): { container: unknown; port: unknown } | undefined {
  const spec = part(part(pod)['spec']);
  const sidecars = list(spec['initContainers']).filter((container) => container['restartPolicy'] === 'Always');
  for (const container of [...list(spec['containers']), ...sidecars]) {
    const found = list(container['ports']).find((port) => port['name'] === name);
    if (found !== undefined) return { container: container['name'], port: found['containerPort'] };
  }
  return undefined;
}

/** What Pod Security `restricted` would refuse about one container. */
export function restrictedProblems(container: unknown): string[] {
  const context = part(part(container)['securityContext']);
  const wanted: Record<string, boolean> = {
    runAsNonRoot: context['runAsNonRoot'] === true,
    runAsUser: context['runAsUser'] !== 0,
    allowPrivilegeEscalation: context['allowPrivilegeEscalation'] === false,
    capabilities:
      list(part(context['capabilities'])['drop']).includes('ALL' as never) &&
      part(context['capabilities'])['add'] === undefined,
    seccompProfile: part(context['seccompProfile'])['type'] === 'RuntimeDefault',
    hostPort: list(part(container)['ports']).every((port) => port['hostPort'] === undefined),
  };
  return Object.entries(wanted).flatMap(([name, holds]) => (holds ? [] : [name]));
}
