// Which endpoints a new connection tries, in which order: all ready ones, starting each time at the next. When there is
// no ready one, those that still serve on their way out are better than nobody, as kube-proxy decides, too.
import type { EndpointSlice } from '../workloads/objects.ts';
import type { Target } from './splice.ts';

export interface Rotation {
  order(slices: readonly EndpointSlice[], portName: string): Target[];
}

export function createRotation(): Rotation {
  let turn = 0;
  return {
    order(slices, portName) {
      const found = endpointsOf(slices, portName);
      const ready = found.filter(({ conditions }) => conditions?.ready ?? true);
      const leaving = found.filter(({ conditions }) => conditions?.serving === true && conditions.terminating === true);
      const targets = (ready.length > 0 ? ready : leaving).map(({ target }) => target);
      const start = targets.length === 0 ? 0 : turn++ % targets.length;
      return [...targets.slice(start), ...targets.slice(0, start)];
    },
  };
}

function endpointsOf(slices: readonly EndpointSlice[], portName: string) {
  return slices.flatMap(({ endpoints, ports }) => {
    const port = ports?.find(({ name = '' }) => name === portName)?.port;
    if (port === undefined) return [];
    return (endpoints ?? []).flatMap(({ addresses, conditions }) =>
      addresses.map((address) => ({ conditions, target: { address, port } })),
    );
  });
}
