// Every flag of the webhook with its default, its environment twin and its unit.
import { type CommandLine, type CommandOption, type OptionValues, portOption, processOptions } from '@kubeai/daemon';
import { z } from 'zod';
import type { InjectionConfig } from './agent-container.ts';
import { parseKubernetesVersion } from './kubernetes-version.ts';
import { type PodSettings, reaches } from './pod-settings.ts';

/** Our own version; a test holds it equal to package.json. */
export const version = '0.1.0';

const text = (fallback: string) => z.string().min(1).default(fallback);
const wholeSeconds = (fallback: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, 'must be a whole number of seconds')
    .transform(Number)
    .refine((value) => value <= most, `must be at most ${most} seconds`)
    .default(fallback);

const options = {
  host: processOptions.host,
  port: {
    describe: 'Port of the webhooks (HTTPS)',
    value: 'PORT',
    environment: 'KUBEAI_PORT',
    fallback: '9443',
    schema: portOption(9_443),
  },
  metricsPort: {
    describe: 'Port of /metrics',
    value: 'PORT',
    environment: 'KUBEAI_METRICS_PORT',
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
    describe: 'Service in front of this webhook',
    value: 'NAME',
    environment: 'KUBEAI_SERVICE_NAME',
    fallback: 'kubeai-webhook',
    schema: text('kubeai-webhook'),
  },
  agentImage: {
    describe: 'Image of the agent',
    value: 'IMAGE',
    environment: 'KUBEAI_AGENT_IMAGE',
    fallback: 'kubeai/agent:dev',
    schema: text('kubeai/agent:dev'),
  },
  redirectImage: {
    describe: 'Image with nft or iptables and a shell; offers reach redirect',
    value: 'IMAGE',
    environment: 'KUBEAI_REDIRECT_IMAGE',
    schema: z.string().min(1).optional(),
  },
  controllerUrl: {
    describe: 'Where agents report to',
    value: 'URL',
    environment: 'KUBEAI_CONTROLLER_URL',
    fallback: 'https://kubeai-controller.kubeai-system.svc:9444',
    schema: z
      .url({ protocol: /^https$/, error: 'must be an https URL' })
      .default('https://kubeai-controller.kubeai-system.svc:9444'),
  },
  controllerServerName: {
    describe: "Name in the controller's certificate, where the URL holds an address",
    value: 'NAME',
    environment: 'KUBEAI_CONTROLLER_SERVER_NAME',
    schema: z.string().min(1).optional(),
  },
  kubernetesVersion: {
    describe: 'Version of the cluster; from 1.29 the agent is a native sidecar',
    value: 'VERSION',
    environment: 'KUBEAI_KUBERNETES_VERSION',
    fallback: 'auto',
    schema: z
      .string()
      .refine(
        (value) => value === 'auto' || parseKubernetesVersion(value) !== undefined,
        'must be auto or a version such as 1.29',
      )
      .default('auto'),
  },
  reach: {
    describe: `How requests reach agents unless a pod says so: ${reaches.join(', ')}`,
    value: 'REACH',
    environment: 'KUBEAI_REACH',
    fallback: 'auto',
    schema: z.enum(reaches, { error: `must be one of ${reaches.join(', ')}` }).default('auto'),
  },
  dcgmUrl: {
    describe: 'dcgm-exporter of a node, such as http://$(KUBEAI_HOST_IP):9400/metrics',
    value: 'URL',
    environment: 'KUBEAI_DCGM_URL',
    schema: z
      .string()
      .regex(/^http:\/\/[^/\s]+/, 'must be a URL that begins with http://')
      .optional(),
  },
  drainSeconds: {
    describe: 'How long streams may take to end when a pod leaves',
    value: 'SECONDS',
    environment: 'KUBEAI_DRAIN_SECONDS',
    fallback: '300',
    schema: wholeSeconds(300, 86_400),
  },
  certificateDirectory: {
    describe: 'Serve with tls.crt and tls.key of this directory instead of a certificate of our own',
    value: 'DIR',
    environment: 'KUBEAI_CERTIFICATE_DIRECTORY',
    schema: z.string().min(1).optional(),
  },
  kubeconfig: processOptions.kubeconfig,
  logLevel: processOptions.logLevel,
} as const satisfies Record<string, CommandOption>;

export const commandLine: CommandLine<typeof options> = {
  name: 'kubeai-webhook',
  summary: 'Puts agents into pods of labelled namespaces, and checks policies.',
  options,
};

/** What a pod's agent gets unless the pod says otherwise. */
export const podDefaults = {
  reach: 'auto',
  engine: 'auto',
  gpuSource: 'auto',
  concurrencyLimit: 0,
  logLevel: 'info',
  cpu: '100m',
  memory: '64Mi',
} as const satisfies PodSettings;

/** The flags that shape an injection, whoever makes it. */
type InjectionFlags = Pick<
  OptionValues<typeof options>,
  'agentImage' | 'redirectImage' | 'controllerUrl' | 'controllerServerName' | 'dcgmUrl' | 'drainSeconds' | 'reach'
>;

export function injectionConfig(values: InjectionFlags, nativeSidecars: boolean): InjectionConfig {
  const { agentImage, redirectImage, controllerUrl, controllerServerName, dcgmUrl, drainSeconds, reach } = values;
  return {
    version,
    agentImage,
    controllerUrl,
    drainSeconds,
    nativeSidecars,
    ...(redirectImage === undefined ? {} : { redirectImage }),
    ...(controllerServerName === undefined ? {} : { controllerServerName }),
    ...(dcgmUrl === undefined ? {} : { dcgmUrl }),
    defaults: { ...podDefaults, reach },
  };
}
