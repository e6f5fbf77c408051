// Every flag of the controller with its default, its environment twin and its unit.
import { type CommandLine, type CommandOption, portOption, processOptions, secondsOption } from '@kubeai/daemon';
import { z } from 'zod';

const text = (fallback: string) => z.string().min(1).default(fallback);

/** `default=16,research=8` */
const gpuBudgets = z
  .string()
  .default('')
  .transform((list, context): ReadonlyMap<string, number> => {
    const entries = list.split(',').filter((entry) => entry.trim() !== '');
    const budgets = new Map<string, number>();
    for (const entry of entries) {
      const [, name, gpus] = /^\s*([^=\s]+)=(\d+(?:\.\d+)?)\s*$/.exec(entry) ?? [];
      if (name === undefined || budgets.has(name)) {
        context.addIssue({
          code: 'custom',
          message: `must be a list such as default=16,research=8, each name once, not "${list}"`,
        });
        return z.NEVER;
      }
      budgets.set(name, Number(gpus));
    }
    return budgets;
  });

const options = {
  host: processOptions.host,
  ingestPort: {
    describe: 'Port that agents report to (HTTPS)',
    value: 'PORT',
    environment: 'KUBEAI_INGEST_PORT',
    fallback: '9444',
    schema: portOption(9_444),
  },
  httpPort: {
    describe: 'Port of the dashboard, /api and /metrics',
    value: 'PORT',
    environment: 'KUBEAI_HTTP_PORT',
    fallback: '8080',
    schema: portOption(8_080),
  },
  healthPort: {
    describe: 'Port of /healthz and /readyz',
    value: 'PORT',
    environment: 'KUBEAI_HEALTH_PORT',
    fallback: '8081',
    schema: portOption(8_081),
  },
  namespace: processOptions.namespace,
  serviceName: {
    describe: 'Service in front of this controller',
    value: 'NAME',
    environment: 'KUBEAI_SERVICE_NAME',
    fallback: 'kubeai-controller',
    schema: text('kubeai-controller'),
  },
  tickSeconds: {
    describe: 'How often each policy is looked at',
    value: 'SECONDS',
    environment: 'KUBEAI_TICK_SECONDS',
    fallback: '1',
    schema: secondsOption(1, 0.1),
  },
  journal: {
    describe: 'File to keep decisions in, as JSON lines; one older file is kept beside it',
    value: 'FILE',
    environment: 'KUBEAI_JOURNAL',
    schema: z.string().min(1).optional(),
  },
  leaderElect: {
    describe: 'Scale only while holding the Lease kubeai-controller, for more than one replica',
    environment: 'KUBEAI_LEADER_ELECT',
    schema: z.stringbool({ error: 'must be true or false' }).default(false),
  },
  prometheusUrl: {
    describe: 'Prometheus for policies that name none',
    value: 'URL',
    environment: 'KUBEAI_PROMETHEUS_URL',
    schema: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
  },
  gpuBudgets: {
    describe: 'GPUs that policies share, by the name that gpu.budget gives: NAME=GPUS,NAME=GPUS',
    value: 'LIST',
    environment: 'KUBEAI_GPU_BUDGETS',
    schema: gpuBudgets,
  },
  pluginDirectory: {
    describe: 'Where the modules of algorithm plugins lie; without it policies can only name endpoints',
    value: 'DIR',
    environment: 'KUBEAI_PLUGIN_DIRECTORY',
    schema: z.string().min(1).optional(),
  },
  kubeconfig: processOptions.kubeconfig,
  logLevel: processOptions.logLevel,
} as const satisfies Record<string, CommandOption>;

export const commandLine: CommandLine<typeof options> = {
  name: 'kubeai-controller',
  summary: 'Collects reports, decides how many replicas each target should have, and scales.',
  options,
};
