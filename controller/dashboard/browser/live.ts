// The controller's stream of the present, as state for the page. The browser reconnects by itself; the trails that come
// first then fill the gap.
import type { PolicyView } from '../../policy-view.ts';
import type { TrailPoint } from '../../trail.ts';

export interface Live {
  readonly connected: boolean;
  readonly leading: boolean;
  /** Milliseconds since the epoch, by the controller's clock. */
  readonly at: number;
  readonly policies: readonly PolicyView[];
  /** Points by `namespace/name`. */
  readonly trails: ReadonlyMap<string, readonly TrailPoint[]>;
  /** The replica states, in the order of a point's `replicas`. */
  readonly states: readonly string[];
}

export const nothingYet: Live = { connected: false, leading: true, at: 0, policies: [], trails: new Map(), states: [] };

interface Trails {
  readonly states: readonly string[];
  readonly trails: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly points: readonly TrailPoint[];
  }[];
}

const keptPoints = 900;

export const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }) =>
  `${namespace}/${name}`;

/** Calls back with each new state, about once a second. */
export function watchLive(changed: (live: Live) => void): void {
  let live = nothingYet;
  const source = new EventSource('/api/events');
  const become = (next: Partial<Live>) => {
    live = { ...live, ...next };
    changed(live);
  };
  source.addEventListener('trails', (event) => {
    const { states, trails } = JSON.parse(event.data) as Trails;
    become({ connected: true, states, trails: new Map(trails.map((trail) => [keyOf(trail), trail.points])) });
  });
  source.addEventListener('present', (event) => {
    const { at, leading, policies } = JSON.parse(event.data) as Pick<Live, 'at' | 'leading' | 'policies'>;
    const trails = new Map(policies.map((policy) => [keyOf(policy), extended(live.trails.get(keyOf(policy)), policy)]));
    become({ connected: true, at, leading, policies, trails });
  });
  source.addEventListener('error', () => become({ connected: false }));
}

function extended(points: readonly TrailPoint[] = [], { point }: PolicyView): readonly TrailPoint[] {
  if (point === undefined || point.at <= (points.at(-1)?.at ?? 0)) return points;
  return [...points.slice(-keptPoints + 1), point];
}
