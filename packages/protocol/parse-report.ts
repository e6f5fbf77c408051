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
  const value: Report = {
    version: protocolVersion,
    run: door.text(report, 'run', '', maxTextLength),
    sequence: door.count(report, 'sequence', ''),
    ageMs: door.number(report, 'ageMs', '', 0, maxReportAgeMs),
    windowMs: door.number(report, 'windowMs', '', 1, maxWindowMs),
    ...(door.flag(report, 'jumped', '') ? { jumped: true as const } : {}),
    pod: podOf(door, report),
    traffic: trafficOf(door, report),
    ...(door.flag(report, 'unobserved', '') ? { unobserved: true as const } : {}),
    queue: queueOf(door, report),
    ...partOf(door, report, 'engine', engineOf),
    ...partOf(door, report, 'gpu', gpuOf),
    ...partOf(door, report, 'container', containerOf),
    ...partOf(door, report, 'host', hostOf),
    absent: absentOf(door, report),
    ...(door.flag(report, 'leaving', '') ? { leaving: true as const } : {}),
  };
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
  return {
    inFlight: door.count(traffic, 'inFlight', at),
    waitingFirstByte: door.count(traffic, 'waitingFirstByte', at),
    concurrency: door.number(traffic, 'concurrency', at, 0, maxCount),
    started: door.count(traffic, 'started', at),
    finished: finishedOf(door, traffic),
    failed: door.count(traffic, 'failed', at),
    aborted: door.count(traffic, 'aborted', at),
    rejected: door.count(traffic, 'rejected', at),
    ...door.optional(traffic, 'promptTokens', at, 0, maxCount),
    generatedTokens: door.count(traffic, 'generatedTokens', at),
    latencyMs: door.sketch(traffic, 'latencyMs', at),
    timeToFirstByteMs: door.sketch(traffic, 'timeToFirstByteMs', at),
    timeToFirstTokenMs: door.sketch(traffic, 'timeToFirstTokenMs', at),
    interTokenMs: door.sketch(traffic, 'interTokenMs', at),
    unobservedConnections: door.count(traffic, 'unobservedConnections', at),
  };
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
  return {
    name: door.text(engine, 'name', at, maxTextLength),
    ageMs: door.number(engine, 'ageMs', at, 0, maxSampleAgeMs),
    ...door.optional(engine, 'waiting', at, 0, maxCount),
    ...door.optional(engine, 'running', at, 0, maxCount),
    ...door.optional(engine, 'kvCacheRatio', at, 0, 1),
    ...door.optional(engine, 'promptTokensPerSecond', at, 0, maxCount),
    ...door.optional(engine, 'generatedTokensPerSecond', at, 0, maxCount),
  };
}

function gpuOf(door: Door, gpu: Fields): GpuSample {
  const at = 'gpu.';
  const devices = door.list(gpu, 'devices', at, maxDevices);
  return {
    source: door.word(gpu, 'source', at, gpuSources),
    ageMs: door.number(gpu, 'ageMs', at, 0, maxSampleAgeMs),
    devices: devices.map((device, index) => deviceOf(door, device, `gpu.devices[${index}]`)),
    ...door.optional(gpu, 'utilizationPercent', at, 0, 100),
    ...door.optional(gpu, 'memoryUsedBytes', at, 0, maxCount),
    ...door.optional(gpu, 'memoryTotalBytes', at, 0, maxCount),
    marks: marksOf(door, gpu, at),
  };
}

function deviceOf(door: Door, input: unknown, path: string): GpuDevice {
  const device = door.object(input, path);
  const at = `${path}.`;
  return {
    ...door.optional(device, 'index', at, 0, maxCount),
    ...(device['uuid'] === undefined ? {} : { uuid: door.text(device, 'uuid', at, maxTextLength) }),
    ...(device['model'] === undefined ? {} : { model: door.text(device, 'model', at, maxTextLength) }),
    ...door.optional(device, 'utilizationPercent', at, 0, 100),
    ...door.optional(device, 'memoryUsedBytes', at, 0, maxCount),
    ...door.optional(device, 'memoryTotalBytes', at, 0, maxCount),
    ...door.optional(device, 'temperatureCelsius', at, -273, maxCount),
    ...door.optional(device, 'powerWatts', at, 0, maxCount),
    ...(device['marks'] === undefined ? {} : { marks: marksOf(door, device, at) }),
  };
}

function marksOf(door: Door, holder: Fields, at: string): GpuMark[] {
  const marks = door.list(holder, 'marks', at, maxMarks);
  return marks.map((mark, index) => door.oneOf(mark, `${at}marks[${index}]`, gpuMarks));
}

function containerOf(door: Door, container: Fields): ContainerSample {
  const at = 'container.';
  return {
    ageMs: door.number(container, 'ageMs', at, 0, maxSampleAgeMs),
    ...door.optional(container, 'cpuCores', at, 0, maxCount),
    ...door.optional(container, 'cpuLimitCores', at, 0, maxCount),
    ...door.optional(container, 'memoryBytes', at, 0, maxCount),
    ...door.optional(container, 'memoryLimitBytes', at, 0, maxCount),
  };
}

function hostOf(door: Door, host: Fields): HostSample {
  const at = 'host.';
  return {
    ageMs: door.number(host, 'ageMs', at, 0, maxSampleAgeMs),
    ...door.optional(host, 'cpuRatio', at, 0, 1),
    ...door.optional(host, 'memoryUsedBytes', at, 0, maxCount),
    ...door.optional(host, 'memoryTotalBytes', at, 0, maxCount),
  };
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

/** An optional part of the report, under its own name. */
function partOf<Name extends OptionalPart, Part>(
  door: Door,
  report: Fields,
  name: Name,
  read: (door: Door, fields: Fields) => Part,
): Record<Name, Part> | undefined {
  if (report[name] === undefined) return undefined;
  return { [name]: read(door, door.inner(report, name, '')) } as Record<Name, Part>;
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

    optional<Name extends string>(holder: Fields, name: Name, at: string, min: number, max: number) {
      if (holder[name] === undefined) return undefined;
      return { [name]: number(holder, name, at, min, max) } as Record<Name, number>;
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
