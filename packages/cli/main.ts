// `kubeai COMMAND`: what people run by hand, under one name. Each command is the face of the part that does the work, and
// reads its own flags; here is only the list. The parts are loaded when they are asked for: the lab takes a while.
import { type CommandProcess, onOutputLost } from '@kubeai/daemon';
import { Command, CommanderError } from 'commander';
import packageJson from './package.json' with { type: 'json' };

type Run = (process: CommandProcess) => Promise<void> | void;

const commands: readonly { readonly name: string; readonly summary: string; readonly load: () => Promise<Run> }[] = [
  {
    name: 'inject',
    summary: 'Puts agents into the pods of manifests, as the webhook would',
    load: async () => (await import('@kubeai/webhook')).inject,
  },
  {
    name: 'lab',
    summary: 'Plays recorded traffic against a policy and its rivals',
    load: async () => (await import('@kubeai/lab')).lab,
  },
  {
    name: 'recommend',
    summary: 'Proposes a policy for recorded traffic',
    load: async () => (await import('@kubeai/lab')).recommendCommand,
  },
  {
    name: 'explain',
    summary: 'Says why a policy wants the size it wants',
    load: async () => (await import('./explain.ts')).explain,
  },
];

const program = new Command('kubeai')
  .description('What KubeAI Autoscaler offers at the command line.')
  .version(packageJson.version)
  .usage('COMMAND [flags]')
  .helpCommand(false)
  .configureHelp({ helpWidth: 110 })
  .exitOverride()
  .configureOutput({ writeErr: () => undefined })
  .addHelpText('after', '\nkubeai COMMAND --help lists the flags of a command.');
for (const { name, summary, load } of commands) {
  program
    .command(name)
    .description(summary)
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async () => {
      const run = await load();
      await run({
        argv: [...process.argv.slice(0, 2), ...process.argv.slice(3)],
        env: process.env,
        stdout: process.stdout,
        stderr: process.stderr,
        exit: (code) => process.exit(code),
      });
    });
}

onOutputLost(process, 'kubeai');
try {
  await program.parseAsync();
} catch (cause) {
  if (!(cause instanceof CommanderError)) throw cause;
  if (cause.exitCode !== 0) {
    const wrong = process.argv[2];
    const known = commands.map(({ name }) => name).join(', ');
    const what = wrong === undefined ? 'a command is needed' : `${wrong} is unknown`;
    process.stderr.write(`kubeai: ${what}: there are ${known}; kubeai --help says more\n`);
    process.exitCode = 2;
  }
}
