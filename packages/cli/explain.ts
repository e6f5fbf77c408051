// `kubeai explain NAMESPACE/NAME`: reads a policy from the cluster and prints its explanation.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  type CommandLine,
  type CommandOption,
  type CommandProcess,
  createClock,
  exitWith,
  readCommandLine,
} from '@kubeai/daemon';
import {
  createDiscovery,
  createKubeClient,
  isKubeError,
  KubeError,
  type KubeObject,
  loadKubeConfig,
  resources,
} from '@kubeai/kube';
import { apiVersion, kind, statusSchema } from '@kubeai/policy';
import { z } from 'zod';
import { explanationOf } from './explanation.ts';
import packageJson from './package.json' with { type: 'json' };

const commandLine = {
  name: 'kubeai explain',
  summary: 'Says why a policy wants the size it wants: its signals, each step of the decision, the last changes.',
  options: {
    kubeconfig: {
      value: 'FILE',
      describe: 'How to reach the cluster',
      fallback: '$KUBECONFIG, else ~/.kube/config',
      schema: z.string().min(1, 'must name a file').optional(),
    },
  },
  operands: [{ name: 'NAMESPACE/NAME', describe: 'the policy, such as quickstart/chat', required: true }],
} as const satisfies CommandLine<Record<string, CommandOption>>;

type PolicyObject = KubeObject & { readonly status?: unknown };

/** Ends the process with 2 for wrong words, and with 1 where the cluster has no answer. */
export async function explain(process: CommandProcess): Promise<void> {
  const { kubeconfig, operands } = readCommandLine(commandLine, process);
  const [, namespace, name] = /^([^/\s]+)\/([^/\s]+)$/.exec(operands[0]!) ?? [];
  if (namespace === undefined || name === undefined)
    return exitWith(process, commandLine.name, [
      { field: 'NAMESPACE/NAME', message: `must look like quickstart/chat, not "${operands[0]}"` },
    ]);
  const config = loadKubeConfig({ path: kubeconfig ?? homeConfig(process), environment: process.env });
  if (!config.ok) return exitWith(process, commandLine.name, config.problems);

  const fail = (message: string): never => {
    process.stderr.write(`${commandLine.name}: ${message}\n`);
    return process.exit(1);
  };
  const clock = createClock();
  const client = createKubeClient(config.value, { clock, userAgent: `kubeai/${packageJson.version}` });
  try {
    const policy = await client.read<PolicyObject>(resources.policies, { namespace, name });
    const status = statusSchema.safeParse(policy.status ?? {});
    if (!status.success)
      return fail(`the status of policy ${namespace}/${name} cannot be read: another version wrote it`);
    process.stdout.write(`${explanationOf({ namespace, name }, status.data, clock.now())}\n`);
  } catch (cause) {
    if (isKubeError(cause, 404)) {
      const isInstalled = await createDiscovery(client, clock)
        .find(apiVersion, kind)
        .then((found) => found !== undefined)
        .catch(() => true); // nobody says otherwise
      return fail(
        isInstalled
          ? `there is no policy ${namespace}/${name}: kubectl get aiap -A lists them`
          : `the cluster has no kind ${kind}: install the system first (docs/install.md)`,
      );
    }
    const { message, code, name: sort } = cause as Error & { code?: unknown };
    const did = cause instanceof KubeError ? 'refused' : 'did not answer';
    const why = sort === 'TimeoutError' ? 'it took too long' : message || code;
    return fail(`the API server at ${config.value.getCurrentCluster()?.server} ${did}: ${why}`);
  } finally {
    await config.value.close();
  }
}

/** Where kubectl looks when it is told nothing. */
function homeConfig({ env }: CommandProcess): string | undefined {
  if (env['KUBECONFIG']) return undefined;
  const path = join(homedir(), '.kube/config');
  return existsSync(path) ? path : undefined;
}
