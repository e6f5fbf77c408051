// Which API server the contract is held against: the local cluster's by default, any other when CONTRACT_KUBECONFIG names
// its kubeconfig. The tests make a namespace (and a CRD) of their own there and take them away again; where the two
// disagree, the real server is right.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClock } from '@kubeai/daemon';
import { startApiServer } from '../../packages/local-cluster/api-server/api-server.ts';

export interface ContractTarget {
  readonly kubeconfigPath: string;
  /** Free for the tests; not there yet. */
  readonly namespace: string;
  stop(): Promise<void>;
}

export async function startContractTarget(): Promise<ContractTarget> {
  const namespace = `contract-${randomBytes(3).toString('hex')}`;
  const given = process.env.CONTRACT_KUBECONFIG;
  if (given !== undefined && given !== '') return { kubeconfigPath: given, namespace, stop: async () => undefined };
  const directory = await mkdtemp(join(tmpdir(), 'kubeai-contract-'));
  const server = await startApiServer({ clock: createClock() });
  const kubeconfigPath = join(directory, 'kubeconfig');
  await writeFile(kubeconfigPath, server.kubeconfig(), { mode: 0o600 });
  return {
    kubeconfigPath,
    namespace,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
