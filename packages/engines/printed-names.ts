// Readings as the command line prints them: flat, under short names, null where a page does not say. Shaped for eyes and
// for comparison with a list of expected values; programs use the readings themselves.
import type { DcgmReading } from './dcgm.ts';
import type { DcgmiReading } from './dcgmi-dmon.ts';
import { type EngineReading, readEngine } from './engine-reading.ts';
import { type EngineEntry, engineTable } from './engine-table.ts';
import type { Exposition, Sample } from './exposition.ts';
import type { Histogram } from './histogram.ts';
import { quantileOf } from './histogram.ts';
import type { TokenReading } from './token-reader.ts';

/** One engine page. `reading` is of all models; see `printedEngine` for what stands at the top. */
export function printedEngine(page: Exposition): Record<string, unknown> {
  const answer = readEngine(page);
  if (!answer.ok) return { engine: null, reason: answer.reason, problems: answer.problems };
  const { models } = answer.value;
  const byModel = new Map(models.map((model) => [model, ofModel(page, model)]));
  // A model of which the page shows a queue and no running requests is not served here (it stands on the page of a
  // router, or of a server whose models come and go): its numbers go beside those of the models that are.
  const served = models.filter((model) => byModel.get(model)?.running !== undefined);
  const others = served.length === 0 ? [] : models.filter((model) => !served.includes(model));
  if (others.length === 0) return flatEngine(page, answer.value);
  const servedPage = others.reduce((rest, model) => filtered(rest, (labels) => modelOf(labels) !== model), page);
  const main = readEngine(servedPage);
  const waiting = others.reduce((sum, model) => sum + (byModel.get(model)?.waiting ?? 0), 0);
  return {
    ...flatEngine(servedPage, main.ok ? main.value : answer.value),
    waitingOtherModel: waiting,
    total: flatEngine(page, answer.value),
  };
}

const modelOf = (labels: Sample['labels']) => labels['model_name'] ?? labels['model'];

function filtered(page: Exposition, keep: (labels: Sample['labels']) => boolean): Exposition {
  const samples = new Map([...page.samples].map(([name, found]) => [name, found.filter(({ labels }) => keep(labels))]));
  return { ...page, samples };
}

function ofModel(page: Exposition, model: string): EngineReading | undefined {
  const answer = readEngine(filtered(page, (labels) => modelOf(labels) === model));
  return answer.ok ? answer.value : undefined;
}

function flatEngine(page: Exposition, reading: EngineReading): Record<string, unknown> {
  const { kvBlocksUsed, kvBlocksFree, kvBlocksMax, ...more } = reading.more;
  const blocks = { used: kvBlocksUsed ?? null, free: kvBlocksFree ?? null, max: kvBlocksMax ?? null };
  return {
    engine: reading.engine,
    models: reading.models.length,
    modelNames: reading.models,
    waiting: reading.waiting ?? null,
    running: reading.running ?? null,
    swapped: reading.swapped ?? null,
    maxRequests: reading.maxRunning ?? null,
    kvCacheRatio: reading.kvCacheRatio ?? null,
    promptTokens: reading.promptTokens ?? null,
    generationTokens: reading.generatedTokens ?? null,
    success: successOf(page, reading),
    failure: reading.requestsFailed ?? null,
    ttft: printedHistogram(reading.timeToFirstToken),
    interTokenLatency: printedHistogram(reading.interTokenLatency),
    timePerOutputToken: printedHistogram(reading.timePerOutputToken),
    e2e: printedHistogram(reading.requestLatency),
    queueTime: printedHistogram(reading.queueTime),
    ...unsaid(reading.engine),
    ...more,
    ...(kvBlocksUsed === undefined ? {} : { kvBlocks: blocks }),
    ...Object.fromEntries(
      Object.entries(reading.moreHistograms).map(([name, value]) => [name, printedHistogram(value)]),
    ),
    problems: reading.problems,
  };
}

/** What only this engine says is null where its page does not say it, as what all engines say is. */
function unsaid(engine: EngineReading['engine']): Record<string, null> {
  const rows: EngineEntry = engineTable[engine];
  const names = Object.keys({ ...rows.more, ...rows.moreHistograms });
  return Object.fromEntries(names.filter((name) => !name.startsWith('kvBlocks')).map((name) => [name, null]));
}

/** Where an engine tells its answers apart by model or by reason, so does this; those without any are left out. */
function successOf(page: Exposition, reading: EngineReading): unknown {
  const parts: Partial<Record<EngineReading['engine'], readonly [string, string]>> = {
    triton: ['nv_inference_request_success', 'model'],
    'triton-tensorrt-llm': ['nv_inference_request_success', 'model'],
    'trtllm-serve': ['trtllm_request_success_total', 'finished_reason'],
  };
  const part = parts[reading.engine];
  if (part === undefined) return reading.requestsSucceeded ?? null;
  const counts: Record<string, number> = {};
  const withColon = part[0].replace('_', ':');
  const names = [part[0], part[0].replace('trtllm_', ''), withColon, `py${withColon}`];
  const name = names.find((each) => page.samples.has(each));
  for (const { labels, value } of page.samples.get(name ?? '') ?? []) {
    const key = labels[part[1]] ?? '';
    if (value > 0) counts[key] = (counts[key] ?? 0) + value;
  }
  return counts;
}

function printedHistogram(histogram: Histogram | undefined): unknown {
  if (histogram === undefined) return null;
  const p95 = quantileOf(histogram, 0.95);
  return {
    count: histogram.count,
    sum: histogram.sum ?? null,
    p95: p95?.value ?? null,
    ...(p95?.atLeast === true ? { p95IsLowerBound: true } : {}),
  };
}

/** One dcgm-exporter page. A figure is a number where the page has one whole GPU, and a list where it has several. */
export function printedDcgm({ devices, problems }: DcgmReading): Record<string, unknown> {
  const whole = devices.filter(({ migInstance }) => migInstance === undefined);
  const mig = devices.filter(({ migInstance }) => migInstance !== undefined);
  const each = (field: keyof (typeof devices)[number]) => {
    const values = whole.map((device) => device[field] ?? null);
    return values.length === 1 ? values[0] : values.every((value) => value === null) ? null : values;
  };
  const owners = (part: 'namespace' | 'pod' | 'container') => {
    const named = devices.map(({ owner }) => owner?.[part] ?? null);
    return named.length === 1 ? named[0] : named.every((name) => name === null) ? null : named;
  };
  const names = new Set(devices.map(({ uuid, gpu, hostname }) => uuid ?? `${hostname} ${gpu}`));
  const onFirst = mig.filter(({ gpu }) => gpu === '0');
  return {
    gpus: names.size,
    utilPercent: each('utilizationPercent'),
    fbUsedMiB: each('memoryUsedMiB'),
    fbFreeMiB: each('memoryFreeMiB'),
    tempC: each('temperatureCelsius'),
    memoryTemp: each('memoryTemperatureCelsius'),
    powerW: each('powerWatts'),
    xid: each('lastXid'),
    grEngineActive: each('engineActiveRatio'),
    dramActive: each('dramActiveRatio'),
    namespace: owners('namespace'),
    pod: owners('pod'),
    container: owners('container'),
    grEngineActiveSeries: devices.filter(({ engineActiveRatio }) => engineActiveRatio !== undefined).length,
    migUtilPercent: Object.fromEntries(
      mig.map(({ migInstance, utilizationPercent }) => [`GPU_I_ID ${migInstance}`, utilizationPercent ?? null]),
    ),
    migSeriesOnGpu0: onFirst.length,
    migProfile: mig[0]?.migProfile ?? null,
    migInstanceIds: onFirst.map(({ migInstance }) => migInstance),
    devices,
    problems,
  };
}

/** `dcgmi dmon`: a row of which nothing is known is null. */
export function printedDcgmi({ columns, rows, problems }: DcgmiReading): Record<string, unknown> {
  const cells = rows.map(({ values }) =>
    values.every((value) => value === undefined) ? null : values.map((value) => value ?? null),
  );
  const entities = rows.map(({ entity }) => entity);
  return {
    columns,
    rows: rows.length,
    firstRow: cells[0] ?? null,
    secondRow: cells[1] ?? null,
    cells,
    entities,
    problems,
  };
}

/** One response body. */
export function printedTokens(reading: TokenReading): Record<string, unknown> {
  const nothing = Object.entries(reading).map(([name, value]) => [name, value ?? null]);
  return { ...Object.fromEntries(nothing), usageReported: reading.eventsWithUsage > 0 };
}
