// The flags of the demonstration.
import { type CommandLine, type CommandOption, portOption } from '@kubeai/daemon';
import { replayOptions } from '@kubeai/load';
import { z } from 'zod';
import { clusterKinds } from './cluster-process.ts';

export const demoLine = {
  name: 'demo',
  summary:
    'Runs the main job on a cluster of its own: install, apply examples/quickstart, send traffic, watch it grow and come back.',
  options: {
    trace: {
      value: 'FILE',
      describe: 'requests to replay: CSV or JSON lines, plain or .gz',
      schema: z.string().optional(),
      fallback: 'examples/traces/sample-chat.csv',
    },
    ...replayOptions,
    policy: {
      value: 'FILE',
      describe: 'a policy of your own; it is aimed at the demonstration Deployment',
      schema: z.string().optional(),
      fallback: 'examples/quickstart/policy.yaml',
    },
    port: {
      value: 'PORT',
      describe: 'of the page on 127.0.0.1',
      schema: portOption(8088),
      fallback: '8088',
    },
    cluster: {
      value: 'KIND',
      describe:
        'local: pods are processes of this machine; real: Kubernetes itself, which needs root, containerd and Go',
      schema: z.enum(clusterKinds, { error: `must be ${clusterKinds.join(' or ')}` }).default('local'),
      fallback: 'local',
    },
    headless: { describe: 'no page, and plain lines instead of a live one', schema: z.stringbool().default(false) },
    json: { value: 'FILE', describe: 'writes the report to this file', schema: z.string().optional() },
  },
  epilogue:
    'Exits 0 only if the Deployment grew, came back down, and no request was lost; 1 if not; 2 for wrong input. Ctrl-C stops everything.',
} as const satisfies CommandLine<Record<string, CommandOption>>;
