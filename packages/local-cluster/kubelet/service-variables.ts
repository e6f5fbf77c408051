// The variables by which a container finds Services without DNS: `WEB_SERVICE_HOST`, `WEB_SERVICE_PORT` and the older
// link variables, as a real kubelet sets them. Pure.
import type { Service } from '../workloads/objects.ts';

export function serviceVariables(services: readonly Service[]): [string, string][] {
  return services.flatMap(({ metadata, spec }) => {
    const { clusterIP, ports = [] } = spec;
    const [first] = ports;
    if (clusterIP === undefined || clusterIP === '' || clusterIP === 'None' || first === undefined) return [];
    const name = upperName(metadata.name);
    const urlOf = (port: { port: number; protocol?: string }) =>
      `${(port.protocol ?? 'TCP').toLowerCase()}://${clusterIP}:${port.port}`;
    const variables: [string, string][] = [
      [`${name}_SERVICE_HOST`, clusterIP],
      [`${name}_SERVICE_PORT`, String(first.port)],
      [`${name}_PORT`, urlOf(first)],
    ];
    for (const port of ports) {
      const protocol = port.protocol ?? 'TCP';
      const link = `${name}_PORT_${port.port}_${protocol}`;
      if (port.name) variables.push([`${name}_SERVICE_PORT_${upperName(port.name)}`, String(port.port)]);
      variables.push(
        [link, urlOf(port)],
        [`${link}_PROTO`, protocol.toLowerCase()],
        [`${link}_PORT`, String(port.port)],
        [`${link}_ADDR`, clusterIP],
      );
    }
    return variables;
  });
}

const upperName = (name: string): string => name.toUpperCase().replaceAll('-', '_');
