// What the agent is told: environment variables that the webhook writes, read once, every problem at once. Each default
// stands here beside its unit.
import type { Environment, LogLevel } from '@kubeai/daemon';
import { logLevels } from '@kubeai/daemon';
import type { PodIdentity } from '@kubeai/protocol';
import { type FieldProblem, type Milliseconds, type Result, seconds } from '@kubeai/units';

export const reaches = ['redirect', 'port', 'none', 'auto'] as const;
export type Reach = (typeof reaches)[number];
export const gpuChoices = ['auto', 'dcgm', 'dcgmi', 'nvidia-smi', 'none'] as const;
export type GpuChoice = (typeof gpuChoices)[number];

export interface Config {
  readonly pod: PodIdentity;
  /** The agent listens here and finds the model server here. */
  readonly podIp: string;
  readonly listenPort: number;
  readonly upstreamPort: number;
  readonly adminPort: number;
  readonly reach: Reach;
  /** Absent: the agent measures and serves /metrics, and reports to nobody. */
  readonly controller:
    | { readonly url: URL; readonly serverName: string; readonly tokenFile: string; readonly caFile: string }
    | undefined;
  /** `auto`, `none`, or what the engine is called. */
  readonly engine: string;
  readonly gpuSource: GpuChoice;
  readonly dcgmUrl: URL | undefined;
  readonly smiCommand: string;
  readonly dcgmiCommand: string;
  /** Where commands are looked for, as in `PATH`. */
  readonly searchPath: string;
  /** 0: no limit. */
  readonly concurrencyLimit: number;
  readonly logLevel: LogLevel;
  readonly drain: Milliseconds;
}

const secrets = '/var/run/secrets/kubeai.io';

/** Reads the agent's environment; problems are named by variable. */
export function parseConfig(environment: Environment): Result<Config, FieldProblem> {
  const problems: FieldProblem[] = [];
  const problem = (field: string, message: string): void => {
    problems.push({ field, message });
  };
  // An empty variable is an unset one: that is what `value: ""` in a manifest means.
  const given = (name: string): string | undefined => environment[name] || undefined;

  const required = (name: string): string => {
    const value = given(name);
    if (value === undefined) problem(name, 'is required but not set');
    return value ?? '';
  };
  const whole = (name: string, fallback: number | undefined, least: number, most: number): number => {
    const text = given(name);
    if (text === undefined && fallback !== undefined) return fallback;
    if (text === undefined) problem(name, 'is required but not set');
    else if (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
    else problem(name, `must be a whole number from ${least} to ${most}, not "${text}"`);
    return least;
  };
  const oneOf = <Word extends string>(name: string, words: readonly Word[], fallback: Word): Word => {
    const text = given(name) ?? fallback;
    if (words.includes(text as Word)) return text as Word;
    problem(name, `must be one of ${words.join(', ')}, not "${text}"`);
    return fallback;
  };
  const url = (name: string, protocols: readonly string[]): URL | undefined => {
    const text = given(name);
    if (text === undefined) return undefined;
    const parsed = URL.canParse(text) ? new URL(text) : undefined;
    if (parsed !== undefined && protocols.includes(parsed.protocol)) return parsed;
    problem(name, `must be a URL that begins with ${protocols.map((each) => `${each}//`).join(' or ')}, not "${text}"`);
    return undefined;
  };

  const reach = oneOf('KUBEAI_REACH', reaches, 'auto');
  const controllerUrl = url('KUBEAI_CONTROLLER_URL', ['https:']);
  const config: Config = {
    pod: {
      name: required('KUBEAI_POD_NAME'),
      namespace: required('KUBEAI_POD_NAMESPACE'),
      uid: required('KUBEAI_POD_UID'),
    },
    podIp: required('KUBEAI_POD_IP'),
    listenPort: whole('KUBEAI_LISTEN_PORT', 15_001, 0, 65_535),
    upstreamPort: whole('KUBEAI_UPSTREAM_PORT', undefined, 1, 65_535),
    adminPort: whole('KUBEAI_ADMIN_PORT', 15_020, 0, 65_535),
    reach,
    controller:
      controllerUrl === undefined
        ? undefined
        : {
            url: controllerUrl,
            serverName: given('KUBEAI_CONTROLLER_SERVER_NAME') ?? controllerUrl.hostname,
            tokenFile: given('KUBEAI_TOKEN_FILE') ?? `${secrets}/token`,
            caFile: given('KUBEAI_CA_FILE') ?? `${secrets}/ca.crt`,
          },
    engine: given('KUBEAI_ENGINE') ?? 'auto',
    gpuSource: oneOf('KUBEAI_GPU_SOURCE', gpuChoices, 'auto'),
    dcgmUrl: url('KUBEAI_DCGM_URL', ['http:']),
    smiCommand: given('KUBEAI_NVIDIA_SMI') ?? 'nvidia-smi',
    dcgmiCommand: given('KUBEAI_DCGMI') ?? 'dcgmi',
    searchPath: given('PATH') ?? '/usr/bin:/bin',
    concurrencyLimit: whole('KUBEAI_CONCURRENCY_LIMIT', 0, 0, 1_000_000),
    logLevel: oneOf('KUBEAI_LOG_LEVEL', logLevels, 'info'),
    drain: seconds(whole('KUBEAI_DRAIN_SECONDS', 30, 0, 86_400)),
  };
  if (config.gpuSource === 'dcgm' && config.dcgmUrl === undefined && given('KUBEAI_DCGM_URL') === undefined)
    problem('KUBEAI_DCGM_URL', 'is required when KUBEAI_GPU_SOURCE is dcgm');
  if (reach !== 'none' && config.listenPort === config.upstreamPort)
    problem('KUBEAI_LISTEN_PORT', `must differ from KUBEAI_UPSTREAM_PORT (${config.upstreamPort})`);
  return problems.length === 0 ? { ok: true, value: config } : { ok: false, problems };
}
