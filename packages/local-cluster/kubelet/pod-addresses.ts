// Addresses for pods: each pod has its own, all of them on the loopback interface. They are handed out in turn, so a
// released one is not used again until all others have been: a late client of a pod that is gone meets nobody.
// Several clusters may run on one machine (tests do), so each first claims a block of addresses by listening on the
// last one of it; the claim ends with the process, however it ends.
import { createServer } from 'node:net';
import { podAddresses } from './limits.ts';

export interface PodAddresses {
  /** Throws when all are in use. */
  take(): string;
  release(address: string): void;
  stop(): Promise<void>;
}

/** Claims the first free block. Throws when there is none. */
export async function claimPodAddresses(): Promise<PodAddresses> {
  const { prefix, blocks } = podAddresses;
  for (let block = 0; block < blocks; block++) {
    const stop = await claim(`${prefix}.${block}.255`);
    if (stop !== undefined) return { ...createRotation(`${prefix}.${block}`), stop };
  }
  throw new Error(`All ${blocks} blocks of pod addresses under ${prefix} are in use by other clusters`);
}

const remedy = 'Linux has all of 127.0.0.0/8; on macOS add the first ones with `ifconfig lo0 alias`';

function claim(address: string): Promise<(() => Promise<void>) | undefined> {
  const server = createServer().unref();
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') resolve(undefined);
      else if (cause.code === 'EADDRNOTAVAIL') reject(new Error(`This machine has no address ${address}: ${remedy}`));
      else reject(cause);
    });
    server.listen({ host: address, port: podAddresses.claimPort, exclusive: true }, () => {
      resolve(() => new Promise((closed) => server.close(() => closed())));
    });
  });
}

/** Addresses `block.1` to `block.254`, in turn. */
export function createRotation(block: string): Omit<PodAddresses, 'stop'> {
  const count = 254;
  const used = new Set<string>();
  let next = 0;
  return {
    take() {
      for (let tried = 0; tried < count; tried++) {
        const address = `${block}.${(next % count) + 1}`;
        next += 1;
        if (used.has(address)) continue;
        used.add(address);
        return address;
      }
      throw new Error(`All ${count} pod addresses of ${block}.0/24 are in use`);
    },
    release(address) {
      used.delete(address);
    },
  };
}
