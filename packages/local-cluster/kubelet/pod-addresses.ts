// Addresses for pods: each pod has its own, all of them on the loopback interface. They are handed out in turn, so a
// released one is not used again until all others have been: a late client of a pod that is gone meets nobody.
import { podAddresses } from './limits.ts';

export interface PodAddresses {
  /** Throws when all are in use. */
  take(): string;
  release(address: string): void;
}

export function createPodAddresses({ prefix, count } = podAddresses): PodAddresses {
  const used = new Set<string>();
  let next = 0;
  return {
    take() {
      for (let tried = 0; tried < count; tried++) {
        const number = (next % count) + 1;
        next += 1;
        const address = `${prefix}.${number >> 8}.${number & 255}`;
        if (used.has(address)) continue;
        used.add(address);
        return address;
      }
      throw new Error(`All ${count} pod addresses are in use`);
    },
    release(address) {
      used.delete(address);
    },
  };
}
