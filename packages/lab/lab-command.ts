// The lab from the command line. See README.md.
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type CommandProcess, exitWith, readCommandLine } from '@kubeai/daemon';
import { serviceTimes } from '@kubeai/model-server';
import { labLine } from './options.ts';
import { defaultPolicy } from './ours.ts';
import { pageOf } from './page.ts';
import { createProgress } from './progress.ts';
import { readPolicy } from './read-policy.ts';
import { readWorkload } from './read-workload.ts';
import { recommend } from './recommend.ts';
import { frontsText, reportOf, textOf } from './report.ts';
import { study } from './study.ts';

/** Ends the process with 2 where words or files are wrong. */
export async function lab(process: CommandProcess): Promise<void> {
  const options = readCommandLine(labLine, process);
  const hardware = { model: options.model, gpu: options.gpu, tensorParallel: options.tensorParallel };
  const times = serviceTimes(hardware);
  if (times === undefined) {
    const message = `was not measured for ${options.model} on ${options.tensorParallel} GPUs; see --help`;
    exitWith(process, labLine.name, [{ field: `--gpu ${options.gpu}`, message }]);
  }
  const read = await readWorkload(options.trace, { ...options, fromSecond: options.from / 1_000 });
  if (!read.ok) exitWith(process, labLine.name, read.problems);
  if (options.warmUp >= read.value.workload.spanMs) {
    exitWith(process, labLine.name, [{ field: '--warm-up', message: 'leaves nothing to judge: the trace is shorter' }]);
  }
  const policies = [];
  for (const path of options.policy ?? []) {
    const policy = await readPolicy(path);
    if (!policy.ok) exitWith(process, labLine.name, policy.problems);
    policies.push({ name: basename(path).replace(/\.ya?ml$/, ''), policy: policy.value });
  }
  if (policies.length === 0) policies.push({ name: 'interactive', policy: defaultPolicy() });

  const progress = createProgress(process.stderr);
  const result = study(
    {
      ...read.value,
      hardware,
      times,
      policies,
      maxBatch: options.maxBatch,
      startUpMs: options.startUp,
      maxReplicas: options.maxReplicas,
      nodes: { standing: options.standing ?? options.maxReplicas, arrivalMs: options.nodeArrival },
      wire: { lossShare: options.reportLoss, delayMs: options.reportDelay },
      balancer: options.balancer,
      patienceMs: options.patience,
      warmUpMs: options.warmUp,
      seed: options.seed,
      promise: { firstTokenMs: options.firstToken, perTokenMs: options.perToken },
      rivals: options.rivals,
      isSearching: false,
      curves: options.curves || options.recommend !== undefined || options.html !== undefined,
    },
    progress.tell,
  );
  progress.end();
  const report = reportOf(result, options.seed);
  const table = textOf(report, report.contenders);
  process.stdout.write(`${table}\n\n${frontsText(report.contenders)}\n`);

  async function write(flag: string, path: string | undefined, text: () => string): Promise<void> {
    if (path === undefined) return;
    await writeFile(path, text()).catch((cause: Error) =>
      exitWith(process, labLine.name, [{ field: flag, message: `cannot be written: ${cause.message}` }]),
    );
  }
  await write('--json', options.json, () => `${JSON.stringify(report)}\n`);
  await write('--html', options.html, () => pageOf(report, table));
  await write('--recommend', options.recommend, () => recommend(result, options.firstToken));
}
