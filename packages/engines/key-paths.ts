// Which keys of somebody else's JSON are asked for, made into a table that the skim can look one up in without a string: every
// key is known by its hash, and every path of keys by the number of its node.
import assert from 'node:assert';

/** Paths of keys joined by dots, and the code that the sink hears. Arrays are transparent: `choices.text`. */
export interface SkimPaths {
  /** A non-empty string begins here. */
  readonly text?: Readonly<Record<string, number>>;
  /** A whole number stands here. */
  readonly number?: Readonly<Record<string, number>>;
  /** A string stands here; the sink gets its first `limits.capturedBytes` bytes. */
  readonly string?: Readonly<Record<string, number>>;
  /** A short string stands here of which only `wordHash` is needed, so that nothing is allocated for it. */
  readonly word?: Readonly<Record<string, number>>;
  /** `true` stands here. */
  readonly yes?: Readonly<Record<string, number>>;
  /** An object or array begins here. */
  readonly open?: Readonly<Record<string, number>>;
}

/** The hash by which keys and words are compared. */
export function wordHash(word: string): number {
  let hash = 0;
  for (let at = 0; at < word.length; at += 1) hash = (Math.imul(hash, 31) + word.charCodeAt(at)) | 0;
  return hash;
}

const kinds = ['text', 'number', 'string', 'word', 'yes', 'open'] as const;

/** Slots of the table of keys; four times as many as there are keys, so that nearly every key is found at once. */
export const slots = 2048;
export const slotOf = (node: number, hash: number): number =>
  (Math.imul(hash ^ Math.imul(node, 0x9e3779b1), 0x85ebca6b) >>> 21) % slots;

/** The paths as a tree of nodes 0 (the value itself), 1 (whatever nobody asked for), 2, 3, … */
export function compilePaths(paths: SkimPaths) {
  const names = new Map<number, string>();
  const keyOfSlot = new Int32Array(slots);
  const ownerOfSlot = new Uint16Array(slots);
  const childOfSlot = new Uint16Array(slots);
  const codes = kinds.map(() => [0, 0]);
  let count = 2;
  /** The child of a node by the hash of its key, made when it is missing. */
  const childOf = (node: number, hash: number): number => {
    let slot = slotOf(node, hash);
    while (childOfSlot[slot] !== 0) {
      if (ownerOfSlot[slot] === node && keyOfSlot[slot] === hash) return childOfSlot[slot]!;
      slot = (slot + 1) % slots;
    }
    keyOfSlot[slot] = hash;
    ownerOfSlot[slot] = node;
    childOfSlot[slot] = count;
    for (const column of codes) column.push(0);
    count += 1;
    assert(count < slots / 4, 'too many paths for the table of keys');
    return childOfSlot[slot]!;
  };
  for (const [index, kind] of kinds.entries())
    for (const [path, code] of Object.entries(paths[kind] ?? {})) {
      assert(code > 0, `the code of ${path} must be positive: 0 means that nobody asked`);
      let node = 0;
      for (const key of path.split('.')) {
        const hash = wordHash(key);
        assert((names.get(hash) ?? key) === key, `${key} and ${names.get(hash)} have the same hash`);
        names.set(hash, key);
        node = childOf(node, hash);
      }
      codes[index]![node] = code;
    }
  const columns = codes.map((column) => Uint8Array.from(column));
  return {
    keyOfSlot,
    ownerOfSlot,
    childOfSlot,
    columns: columns as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array],
  };
}

export type CompiledPaths = ReturnType<typeof compilePaths>;
