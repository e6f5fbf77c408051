// `kubeai recommend`: a policy for recorded traffic, as YAML. See README.md.
import { type CommandProcess, readCommandLine } from '@kubeai/daemon';
import { recommendLine } from './options.ts';
import { createProgress } from './progress.ts';
import { readSetting } from './read-setting.ts';
import { recommend, yamlOf } from './recommend.ts';
import { checkWritable, writeResult } from './write-result.ts';

/** Ends the process with 2 where words or files are wrong. */
export async function recommendCommand(process: CommandProcess): Promise<void> {
  const { name } = recommendLine;
  const options = readCommandLine(recommendLine, process);
  const setting = await readSetting(name, options, process);
  await checkWritable(name, { '--output': options.output }, process);
  const progress = createProgress(process.stderr);
  const found = recommend(setting, options.goal, options.target, progress.tell);
  progress.end();
  const yaml = yamlOf(found, setting, options.goal);
  if (options.output === undefined) process.stdout.write(yaml);
  else await writeResult(name, '--output', options.output, yaml, process);
}
