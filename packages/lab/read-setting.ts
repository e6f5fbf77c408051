// From the flags of a command to what it plays.
import { type CommandProcess, exitWith, type OptionValues } from '@kubeai/daemon';
import { serviceTimes } from '@kubeai/model-server';
import type { settingOptions, traceOptions } from './options.ts';
import { readWorkload } from './read-workload.ts';
import type { Setting } from './setting.ts';

/** Ends the process with 2 where words or files are wrong. */
export async function readSetting(
  name: string,
  options: OptionValues<typeof traceOptions & typeof settingOptions>,
  process: CommandProcess,
): Promise<Setting> {
  const wrong = (field: string, message: string) => exitWith(process, name, [{ field, message }]);
  const { model, gpu, tensorParallel, maxReplicas, warmUp } = options;
  const hardware = { model, gpu, tensorParallel };
  const times = serviceTimes(hardware);
  if (times === undefined) {
    return wrong(`--gpu ${gpu}`, `was not measured for ${model} on ${tensorParallel} GPUs; see --help`);
  }
  const read = await readWorkload(options.trace, { ...options, fromSecond: options.from / 1_000 });
  if (!read.ok) return exitWith(process, name, read.problems);
  if (warmUp >= read.value.workload.spanMs) return wrong('--warm-up', 'leaves nothing to judge: the trace is shorter');
  return {
    ...read.value,
    hardware,
    times,
    maxBatch: options.maxBatch,
    startUpMs: options.startUp,
    maxReplicas,
    nodes: { standing: options.standing ?? maxReplicas, arrivalMs: options.nodeArrival },
    wire: { lossShare: options.reportLoss, delayMs: options.reportDelay },
    balancer: options.balancer,
    patienceMs: options.patience,
    warmUpMs: warmUp,
    seed: options.seed,
    promise: { firstTokenMs: options.firstToken, perTokenMs: options.perToken },
  };
}
