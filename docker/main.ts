// `npm run images`: see images.ts.
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitWith, onOutputLost, readCommandLine } from '@kubeai/daemon';
import { z } from 'zod';
import { agentOverhead, buildImages, findBuilder } from './images.ts';

const name = 'images';
const repository = join(dirname(fileURLToPath(import.meta.url)), '..');

const options = readCommandLine(
  {
    name,
    summary: 'Builds the images of agent, webhook, controller, model server and redirect with docker or buildah.',
    options: {
      tag: {
        describe: 'Tag of the images',
        value: 'TAG',
        fallback: 'dev',
        // Checked before the bases are made, which takes a minute.
        schema: z
          .string()
          .regex(/^\w[\w.-]{0,127}$/, 'must be letters, digits, dots, dashes and underscores, 128 at most')
          .default('dev'),
      },
      bases: {
        describe: 'pull: as docker/Dockerfile names them; local: from this machine; auto: local where pulling fails',
        value: 'WAY',
        fallback: 'auto',
        schema: z.enum(['auto', 'pull', 'local'], { error: 'must be one of auto, pull, local' }).default('auto'),
      },
      archives: {
        describe: 'Directory to write each image to, as an archive for `ctr image import`',
        value: 'DIR',
        schema: z.string().min(1).optional(),
      },
    },
  },
  process,
);

const lost = new AbortController();
// What was begun is put away before the end.
onOutputLost(process, name, (code) => {
  process.exitCode = code;
  lost.abort();
});
const builder = await findBuilder();
if (builder === undefined) {
  exitWith(process, name, [
    { field: 'docker', message: 'does not answer and buildah is not there; install one of them' },
  ]);
}
try {
  const { archives } = options;
  const images = await buildImages({
    repository,
    builder,
    bases: options.bases,
    tag: options.tag,
    ...(archives === undefined ? {} : { archives: resolve(archives) }),
    signal: lost.signal,
    say: (line) => process.stdout.write(`${line}\n`),
  });
  const overhead = (await agentOverhead(images)) / 2 ** 20;
  process.stdout.write(`The agent's image is ${overhead.toFixed(1)} MiB more than this machine's Node binary\n`);
} catch (cause) {
  if (lost.signal.aborted) process.exit();
  const { stderr, message } = cause as { stderr?: string; message: string };
  process.stderr.write(`${name}: ${stderr?.trim() || message}\n`);
  process.exit(1);
}
