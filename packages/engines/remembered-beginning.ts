// The events of one stream differ little before their text: same id, model and shape. So the beginning of a value up to its
// first text is remembered, and where the next value begins with the same bytes, the skim goes on behind them.
import { Buffer } from 'node:buffer';
import { limits } from './limits.ts';

export interface RememberedBeginning {
  /** Where the skim stands behind the remembered bytes. */
  readonly depth: number;
  readonly node: number;
  readonly state: number;
  /** False after a row of values that began otherwise: comparing them would cost more than it saves. */
  readonly isWorthwhile: () => boolean;
  /** How many bytes from `start` are those remembered, with the skim's stack put back; 0 when they are others. */
  readonly pass: (bytes: Buffer, start: number, end: number) => number;
  readonly keep: (bytes: Buffer, from: number, to: number, depth: number, node: number, state: number) => void;
  /** What follows is another body. */
  readonly forget: () => void;
}

/** `nodes` and `isObject` are the stack of the skim, a level an element: copied when kept, written when passed. */
export function createRememberedBeginning(nodes: Uint16Array, isObject: Uint8Array): RememberedBeginning {
  /** Made for the first stream: most answers are none. */
  let kept: { readonly bytes: Buffer; readonly nodes: Uint16Array; readonly isObject: Uint8Array } | undefined;
  /** 0 while nothing is remembered. */
  let length = 0;
  let misses = 0;
  const place = { depth: 0, node: 0, state: 0 };

  return Object.assign(place, {
    isWorthwhile: () => misses < limits.rememberedMisses,
    pass(bytes: Buffer, start: number, end: number) {
      if (kept === undefined || length === 0) return 0;
      if (start + length > end || bytes.compare(kept.bytes, 0, length, start, start + length) !== 0) {
        misses += 1;
        return 0;
      }
      misses = 0;
      for (let level = 0; level < place.depth; level += 1) {
        nodes[level] = kept.nodes[level]!;
        isObject[level] = kept.isObject[level]!;
      }
      return length;
    },
    keep(bytes: Buffer, from: number, to: number, depth: number, node: number, state: number) {
      if (to - from > limits.rememberedBytes) return;
      kept ??= {
        bytes: Buffer.allocUnsafe(limits.rememberedBytes),
        nodes: new Uint16Array(limits.jsonDepth),
        isObject: new Uint8Array(limits.jsonDepth),
      };
      bytes.copy(kept.bytes, 0, from, to);
      kept.nodes.set(nodes);
      kept.isObject.set(isObject);
      length = to - from;
      Object.assign(place, { depth, node, state });
    },
    forget() {
      misses = 0;
      length = 0;
    },
  });
}
