// The flags that every process of ours beside Kubernetes has.
import { z } from 'zod';
import type { CommandOption } from './command-line.ts';
import { logLevelOption } from './option-schemas.ts';

const text = (fallback: string) => z.string().min(1).default(fallback);

export const processOptions = {
  host: {
    describe: 'Address to listen on',
    value: 'HOST',
    environment: 'KUBEAI_HOST',
    fallback: '0.0.0.0',
    schema: text('0.0.0.0'),
  },
  namespace: {
    describe: 'Namespace of the autoscaler',
    value: 'NAME',
    environment: 'KUBEAI_NAMESPACE',
    fallback: 'kubeai-system',
    schema: text('kubeai-system'),
  },
  kubeconfig: {
    describe: 'Kubeconfig file; without it KUBECONFIG, else the service account',
    value: 'FILE',
    schema: z.string().min(1).optional(),
  },
  logLevel: {
    describe: 'Least level that is logged',
    value: 'LEVEL',
    environment: 'KUBEAI_LOG_LEVEL',
    fallback: 'info',
    schema: logLevelOption('info'),
  },
} as const satisfies Record<string, CommandOption>;
