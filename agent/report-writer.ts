// Closes a window and writes its report: what passed, the queue from the best source there is, and what each source
// outside says, or why it says nothing.
import {
  type Absence,
  type ContainerSample,
  type EngineSample,
  type HostSample,
  maxWindowMs,
  type OptionalPart,
  type PodIdentity,
  protocolVersion,
  type Queue,
  type Report,
} from '@kubeai/protocol';
import type { Gate } from './gate.ts';
import type { GpuFold } from './gpu-fold.ts';
import type { Reading, Source } from './source.ts';
import type { TrafficBook } from './traffic.ts';

export interface Sources {
  readonly engine: Source<Omit<EngineSample, 'ageMs'>>;
  readonly gpu: Source<GpuFold>;
  readonly container: Source<Omit<ContainerSample, 'ageMs'>>;
  readonly host: Source<Omit<HostSample, 'ageMs'>>;
}

export interface ReportMarks {
  readonly leaving: boolean;
  readonly jumped: boolean;
}

export interface ReportWriter {
  /** Closes the window that began at the last call. */
  write(now: number, marks: ReportMarks): Report;
  /** The last report written, undefined before the first. */
  latest(): Report | undefined;
}

export interface ReportWriterOptions {
  readonly pod: PodIdentity;
  /** Names this start of the agent. */
  readonly run: string;
  readonly book: TrafficBook;
  readonly gate: Gate | undefined;
  readonly sources: Sources;
  /** Whether requests pass this agent at all. */
  readonly observes: boolean;
  readonly start: number;
}

export function createReportWriter({
  pod,
  run,
  book,
  gate,
  sources,
  observes,
  start,
}: ReportWriterOptions): ReportWriter {
  let sequence = 0;
  let windowStart = start;
  let latest: Report | undefined;

  return {
    write(now, { leaving, jumped }) {
      const absent: Partial<Record<OptionalPart, Absence>> = {};
      /** The part with its age, under its name; or a line in `absent`. */
      const part = <Name extends OptionalPart, Sample extends object>(name: Name, reading: Reading<Sample>) => {
        if (reading.kind === 'absent') {
          absent[name] = reading.because;
          return undefined;
        }
        return { [name]: { ...reading.sample, ageMs: reading.ageMs } } as Record<Name, Sample & { ageMs: number }>;
      };
      const engine = part('engine', sources.engine.latest(now));
      const traffic = book.closeWindow(now);
      latest = {
        version: protocolVersion,
        run,
        sequence,
        ageMs: 0,
        windowMs: Math.min(maxWindowMs, Math.max(1, Math.round(now - windowStart))),
        pod,
        traffic,
        ...(jumped ? { jumped: true as const } : {}),
        ...(observes ? {} : { unobserved: true as const }),
        queue: queueOf(engine?.engine, gate, traffic.waitingFirstByte),
        ...engine,
        ...part('gpu', sources.gpu.latest(now)),
        ...part('container', sources.container.latest(now)),
        ...part('host', sources.host.latest(now)),
        absent,
        ...(leaving ? { leaving: true as const } : {}),
      };
      sequence += 1;
      windowStart = now;
      return latest;
    },
    latest: () => latest,
  };
}

/** Under a limit the engine sees only what was let in, so what waits here comes on top of what waits there. */
function queueOf(engine: EngineSample | undefined, gate: Gate | undefined, waitingFirstByte: number): Queue {
  if (gate !== undefined) return { length: gate.waiting + Math.round(engine?.waiting ?? 0), source: 'limit' };
  if (engine?.waiting !== undefined) return { length: Math.round(engine.waiting), source: 'engine' };
  return { length: waitingFirstByte, source: 'firstByte' };
}
