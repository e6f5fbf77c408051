// The door: what a pod sends is unknown until it has passed here. Every problem is collected by the name its author
// wrote; fields we do not know are left out, so that a newer agent of the same version may say more. Written by hand
// because it runs for every pod each second: zod would cost ten times the rest of the path.

import { type EncodedSketch, problemOfEncoded } from '@kubeai/sketch';
import type { FieldProblem, Result } from '@kubeai/units';
import {
  maxCount,
  maxDevices,
  maxMarks,
  maxNameLength,
  maxNamespaceLength,
  maxReportAgeMs,
  maxSampleAgeMs,
  maxTextLength,
  maxUidLength,
  maxWindowMs,
  protocolVersion,
} from './limits.ts';
import {
  type Absence,
  absences,
  type ContainerSample,
  type EngineSample,
  type GpuDevice,
  type GpuMark,
  type GpuSample,
  gpuMarks,
  gpuSources,
  type HostSample,
  type OptionalPart,
  optionalParts,
  type PodIdentity,
  type Queue,
  queueSources,
  type Report,
  type StatusClass,
  statusClasses,
  type Traffic,
} from './report.ts';

type Fields = Record<string, unknown>;
/** Optional fields are added one by one: spreading them makes an object of a shape that V8 knows no other of. */
type Writable<Part> = { -readonly [Key in keyof Part]: Part[Key] };
const none: Fields = Object.freeze({});
const noSketch: EncodedSketch = Object.freeze({ sum: 0, bins: [] });

/** Reads one line. Problems name the field; a line that is no JSON object has one problem. */
export function parseReportLine(line: string): Result<Report, FieldProblem> {
  let input: unknown;
  try {
    input = JSON.parse(line);
  } catch (cause) {
    return { ok: false, problems: [{ field: 'report', message: `is no JSON: ${(cause as Error).message}` }] };
  }
  return parseReport(input);
}

/** Turns what a pod sent into a report, or says everything that is wrong with it. */
export function parseReport(input: unknown): Result<Report, FieldProblem> {
  const door = createDoor();
  const report = door.object(input, 'report');
  if (door.problems.length > 0) return { ok: false, problems: door.problems };
  if (report['version'] !== protocolVersion) {
    const message = `must be ${protocolVersion}, this controller speaks no other version`;
    return { ok: false, problems: [{ field: 'version', message }] };
  }
  const value: Writable<Report> = {
    version: protocolVersion,
    run: door.text(report, 'run', '', maxTextLength),
    sequence: door.count(report, 'sequence', ''),
    ageMs: door.number(report, 'ageMs', '', 0, maxReportAgeMs),
    windowMs: door.number(report, 'windowMs', '', 1, maxWindowMs),
    pod: podOf(door, report),
    traffic: trafficOf(door, report),
    queue: queueOf(door, report),
    absent: absentOf(door, report),
  };
  const part = (name: OptionalPart) => door.inner(report, name, '');
  if (report['engine'] !== undefined) value.engine = engineOf(door, part('engine'));
  if (report['gpu'] !== undefined) value.gpu = gpuOf(door, part('gpu'));
  if (report['container'] !== undefined) value.container = containerOf(door, part('container'));
  if (report['host'] !== undefined) value.host = hostOf(door, part('host'));
  if (door.flag(report, 'jumped', '')) value.jumped = true;
  if (door.flag(report, 'unobserved', '')) value.unobserved = true;
  if (door.flag(report, 'leaving', '')) value.leaving = true;
  return door.problems.length === 0 ? { ok: true, value } : { ok: false, problems: door.problems };
}

function podOf(door: Door, report: Fields): PodIdentity {
  const pod = door.inner(report, 'pod', '');
  return {
    namespace: door.text(pod, 'namespace', 'pod.', maxNamespaceLength),
    name: door.text(pod, 'name', 'pod.', maxNameLength),
    uid: door.text(pod, 'uid', 'pod.', maxUidLength),
  };
}

function trafficOf(door: Door, report: Fields): Traffic {
  const traffic = door.inner(report, 'traffic', '');
  const at = 'traffic.';
  const value: Writable<Traffic> = {
    inFlight: door.count(traffic, 'inFlight', at),
    waitingFirstByte: door.count(traffic, 'waitingFirstByte', at),
    concurrency: door.number(traffic, 'concurrency', at, 0, maxCount),
    started: door.count(traffic, 'started', at),
    finished: finishedOf(door, traffic),
    failed: door.count(traffic, 'failed', at),
    aborted: door.count(traffic, 'aborted', at),
    rejected: door.count(traffic, 'rejected', at),
    generatedTokens: door.count(traffic, 'generatedTokens', at),
    latencyMs: door.sketch(traffic, 'latencyMs', at),
    timeToFirstByteMs: door.sketch(traffic, 'timeToFirstByteMs', at),
    timeToFirstTokenMs: door.sketch(traffic, 'timeToFirstTokenMs', at),
    interTokenMs: door.sketch(traffic, 'interTokenMs', at),
    unobservedConnections: door.count(traffic, 'unobservedConnections', at),
  };
  door.optional(value, 'promptTokens', traffic, at, 0, maxCount);
  return value;
}

function finishedOf(door: Door, traffic: Fields): Traffic['finished'] {
  const given = door.inner(traffic, 'finished', 'traffic.');
  const finished: Partial<Record<StatusClass, number>> = {};
  for (const name of statusClasses) {
    if (given[name] !== undefined) finished[name] = door.count(given, name, 'traffic.finished.');
  }
  return finished;
}

function queueOf(door: Door, report: Fields): Queue {
  const queue = door.inner(report, 'queue', '');
  return { length: door.count(queue, 'length', 'queue.'), source: door.word(queue, 'source', 'queue.', queueSources) };
}

function engineOf(door: Door, engine: Fields): EngineSample {
  const at = 'engine.';
  const sample: Writable<EngineSample> = {
    name: door.text(engine, 'name', at, maxTextLength),
    ageMs: door.number(engine, 'ageMs', at, 0, maxSampleAgeMs),
  };
  door.optional(sample, 'waiting', engine, at, 0, maxCount);
  door.optional(sample, 'running', engine, at, 0, maxCount);
  door.optional(sample, 'kvCacheRatio', engine, at, 0, 1);
  door.optional(sample, 'promptTokensPerSecond', engine, at, 0, maxCount);
  door.optional(sample, 'generatedTokensPerSecond', engine, at, 0, maxCount);
  return sample;
}

function gpuOf(door: Door, gpu: Fields): GpuSample {
  const at = 'gpu.';
  const devices = door.list(gpu, 'devices', at, maxDevices);
  const sample: Writable<GpuSample> = {
    source: door.word(gpu, 'source', at, gpuSources),
    ageMs: door.number(gpu, 'ageMs', at, 0, maxSampleAgeMs),
    devices: devices.map((device, index) => deviceOf(door, device, `gpu.devices[${index}]`)),
    marks: marksOf(door, gpu, at),
  };
  door.optional(sample, 'utilizationPercent', gpu, at, 0, 100);
  door.optional(sample, 'memoryUsedBytes', gpu, at, 0, maxCount);
  door.optional(sample, 'memoryTotalBytes', gpu, at, 0, maxCount);
  return sample;
}

function deviceOf(door: Door, input: unknown, path: string): GpuDevice {
  const fields = door.object(input, path);
  const at = `${path}.`;
  const device: Writable<GpuDevice> = {};
  door.optional(device, 'index', fields, at, 0, maxCount);
  if (fields['uuid'] !== undefined) device.uuid = door.text(fields, 'uuid', at, maxTextLength);
  if (fields['model'] !== undefined) device.model = door.text(fields, 'model', at, maxTextLength);
  door.optional(device, 'utilizationPercent', fields, at, 0, 100);
  door.optional(device, 'memoryUsedBytes', fields, at, 0, maxCount);
  door.optional(device, 'memoryTotalBytes', fields, at, 0, maxCount);
  door.optional(device, 'temperatureCelsius', fields, at, -273, maxCount);
  door.optional(device, 'powerWatts', fields, at, 0, maxCount);
  if (fields['marks'] !== undefined) device.marks = marksOf(door, fields, at);
  return device;
}

function marksOf(door: Door, holder: Fields, at: string): GpuMark[] {
  const marks = door.list(holder, 'marks', at, maxMarks);
  return marks.map((mark, index) => door.oneOf(mark, `${at}marks[${index}]`, gpuMarks));
}

function containerOf(door: Door, container: Fields): ContainerSample {
  const at = 'container.';
  const sample: Writable<ContainerSample> = { ageMs: door.number(container, 'ageMs', at, 0, maxSampleAgeMs) };
  door.optional(sample, 'cpuCores', container, at, 0, maxCount);
  door.optional(sample, 'cpuLimitCores', container, at, 0, maxCount);
  door.optional(sample, 'memoryBytes', container, at, 0, maxCount);
  door.optional(sample, 'memoryLimitBytes', container, at, 0, maxCount);
  return sample;
}

function hostOf(door: Door, host: Fields): HostSample {
  const at = 'host.';
  const sample: Writable<HostSample> = { ageMs: door.number(host, 'ageMs', at, 0, maxSampleAgeMs) };
  door.optional(sample, 'cpuRatio', host, at, 0, 1);
  door.optional(sample, 'memoryUsedBytes', host, at, 0, maxCount);
  door.optional(sample, 'memoryTotalBytes', host, at, 0, maxCount);
  return sample;
}

function absentOf(door: Door, report: Fields): Report['absent'] {
  const given = door.inner(report, 'absent', '');
  const absent: Partial<Record<OptionalPart, Absence>> = {};
  const known = Object.keys(absences) as Absence[];
  for (const part of optionalParts) {
    if (given[part] !== undefined) absent[part] = door.word(given, part, 'absent.', known);
  }
  return absent;
}

type Door = ReturnType<typeof createDoor>;

/** Readers of single fields; each returns something usable and notes what was wrong, so that one pass finds it all. */
function createDoor() {
  const problems: FieldProblem[] = [];
  const problem = (field: string, message: string): void => {
    problems.push({ field, message });
  };

  const object = (input: unknown, field: string): Fields => {
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as Fields;
    problem(field, 'must be an object');
    return none;
  };

  const number = (holder: Fields, name: string, at: string, min: number, max: number): number => {
    const value = holder[name];
    if (typeof value === 'number' && value >= min && value <= max) return value;
    if (holder !== none) problem(at + name, `must be a number from ${min} to ${max}`);
    return min;
  };

  const oneOf = <Word extends string>(value: unknown, field: string, words: readonly Word[]): Word => {
    if (words.includes(value as Word)) return value as Word;
    problem(field, `must be one of ${words.join(', ')}`);
    return words[0]!;
  };

  return {
    problems,
    object,

    inner: (holder: Fields, name: string, at: string): Fields =>
      holder === none ? none : object(holder[name], at + name),

    number,
    oneOf,

    count(holder: Fields, name: string, at: string): number {
      const value = holder[name];
      if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
      if (holder !== none) problem(at + name, 'must be a whole number, 0 or more');
      return 0;
    },

    /** Reads a number into `into` where there is one. */
    optional<Name extends string>(
      into: { [Key in Name]?: number },
      name: Name,
      holder: Fields,
      at: string,
      min: number,
      max: number,
    ): void {
      if (holder[name] !== undefined) into[name] = number(holder, name, at, min, max);
    },

    text(holder: Fields, name: string, at: string, longest: number): string {
      const value = holder[name];
      if (typeof value === 'string' && value.length > 0 && value.length <= longest) return value;
      if (holder !== none) problem(at + name, `must be a text of 1 to ${longest} characters`);
      return '';
    },

    word<Word extends string>(holder: Fields, name: string, at: string, words: readonly Word[]): Word {
      return holder === none ? words[0]! : oneOf(holder[name], at + name, words);
    },

    flag(holder: Fields, name: string, at: string): boolean {
      const value = holder[name];
      if (value !== undefined && value !== true) problem(at + name, 'must be true or absent');
      return value === true;
    },

    list(holder: Fields, name: string, at: string, longest: number): unknown[] {
      const value = holder[name];
      if (Array.isArray(value) && value.length <= longest) return value;
      if (holder !== none) problem(at + name, `must be a list of at most ${longest} entries`);
      return [];
    },

    sketch(holder: Fields, name: string, at: string): EncodedSketch {
      if (holder === none) return noSketch;
      const value = holder[name];
      const wrong = problemOfEncoded(value);
      if (wrong === undefined) return value as EncodedSketch;
      problem(at + name, wrong);
      return noSketch;
    },
  };
}
