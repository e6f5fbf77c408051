// `kubeai inject -f FILE|-`: the injection of the webhook on files, for repositories that are applied as they are.
// Manifests go to stdout, sentences to stderr.
import { readFileSync } from 'node:fs';
import { type CommandLine, type CommandOption, type CommandProcess, exitWith, readCommandLine } from '@kubeai/daemon';
import { z } from 'zod';
import { injectionConfig, commandLine as webhook } from './config.ts';
import { injectManifest } from './inject-manifest.ts';
import { hasNativeSidecars, parseKubernetesVersion } from './kubernetes-version.ts';

const { agentImage, redirectImage, controllerUrl, controllerServerName, dcgmUrl, reach, drainSeconds, namespace } =
  webhook.options;
const options = {
  file: { describe: 'Manifests (YAML or JSON), - for stdin; also -f', value: 'FILE', schema: z.string().min(1) },
  explain: { describe: 'Say for each object what became of it, on stderr', schema: z.stringbool().default(false) },
  kubernetesVersion: {
    ...webhook.options.kubernetesVersion,
    fallback: '1.29',
    schema: z
      .string()
      .refine((value) => parseKubernetesVersion(value) !== undefined, 'must be a version such as 1.29')
      .default('1.29'),
  },
  agentImage,
  redirectImage,
  controllerUrl,
  controllerServerName,
  dcgmUrl,
  reach,
  drainSeconds,
  namespace,
} as const satisfies Record<string, CommandOption>;
const commandLine: CommandLine<typeof options> = {
  name: 'kubeai inject',
  summary: 'Puts agents into the pods of manifests.',
  options,
};

/** Ends the process with 2 where words or manifests are wrong. */
export function inject(process: CommandProcess): void {
  const { env, stdout, stderr } = process;
  const argv = process.argv.map((word) => (word === '-f' ? '--file' : word));
  const values = readCommandLine(commandLine, { argv, env, stdout, stderr, exit: (code) => process.exit(code) });
  const shown = values.file === '-' ? 'stdin' : values.file;

  const read = (): string => {
    try {
      return readFileSync(values.file === '-' ? 0 : values.file, 'utf8');
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
      return exitWith(process, commandLine.name, [{ field: shown, message: `cannot be read: ${why}` }]);
    }
  };
  const injected = injectManifest(
    read(),
    injectionConfig(values, hasNativeSidecars(parseKubernetesVersion(values.kubernetesVersion)!)),
    values.namespace,
  );
  if (!injected.ok)
    exitWith(
      process,
      commandLine.name,
      injected.problems.map(({ field, message }) => ({ field: `${shown}, ${field}:`, message })),
    );
  for (const { object, sentence, warnings } of injected.value.explanations) {
    if (values.explain) stderr.write(`${object}: ${sentence}\n`);
    for (const warning of warnings) stderr.write(`warning: ${object}: ${warning}\n`);
  }
  stdout.write(injected.value.text);
}
