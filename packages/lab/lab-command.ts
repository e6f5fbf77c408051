// The lab from the command line. See README.md.
import { basename } from 'node:path';
import { type CommandProcess, exitWith, readCommandLine } from '@kubeai/daemon';
import { labLine, longTrace } from './options.ts';
import { defaultPolicy } from './ours.ts';
import { pageOf } from './page.ts';
import { createProgress } from './progress.ts';
import { readPolicy } from './read-policy.ts';
import { readSetting } from './read-setting.ts';
import { frontsText, reportOf, textOf } from './report.ts';
import { study } from './study.ts';
import { checkWritable, writeResult } from './write-result.ts';

/** Ends the process with 2 where words or files are wrong. */
export async function lab(process: CommandProcess): Promise<void> {
  const options = readCommandLine(labLine, process);
  const setting = await readSetting(labLine.name, options, process);
  const policies = [];
  for (const path of options.policy ?? []) {
    const policy = await readPolicy(path);
    if (!policy.ok) exitWith(process, labLine.name, policy.problems);
    policies.push({ name: basename(path).replace(/\.ya?ml$/, ''), policy: policy.value });
  }
  if (policies.length === 0) policies.push({ name: 'interactive', policy: defaultPolicy() });

  await checkWritable(labLine.name, { '--json': options.json, '--html': options.html }, process);

  const progress = createProgress(process.stderr);
  const result = study(
    {
      ...setting,
      policies,
      rivals: options.rivals,
      isSearching: !options.wholeGrids && setting.workload.at.length > longTrace,
      curves: options.curves || options.html !== undefined,
    },
    progress.tell,
  );
  progress.end();
  const report = reportOf(result, options.seed);
  const table = textOf(report, report.contenders);
  process.stdout.write(`${table}\n\n${frontsText(report.contenders)}\n`);

  const write = (flag: string, path: string | undefined, text: () => string) =>
    path === undefined ? undefined : writeResult(labLine.name, flag, path, text(), process);
  await write('--json', options.json, () => `${JSON.stringify(report)}\n`);
  await write('--html', options.html, () => pageOf(report, table));
}
