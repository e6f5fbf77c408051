// What one run of a container has printed: two bounded files at most, in the line format of container runtimes
// (`2026-01-01T12:00:00.000000000Z stdout F the text`), written as it comes and readable meanwhile.
import { EventEmitter, once } from 'node:events';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock, Log } from '@kubeai/daemon';
import { logBacklogBytes, logFileBytes, logLineBytes } from './limits.ts';

export interface ReadOptions {
  readonly follow?: boolean;
  readonly tailLines?: number | undefined;
  readonly timestamps?: boolean;
  /** Milliseconds since the epoch: older lines are left out. */
  readonly since?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ContainerLog {
  /** Takes everything from one of the container's outputs. */
  attach(stream: 'stdout' | 'stderr', output: Readable): void;
  /** Lines as kubectl prints them, each with its newline; ends when the container has, or at once without `follow`. */
  read(options: ReadOptions): AsyncGenerator<string>;
  /** No more output will come; resolves when everything is written. */
  end(): Promise<void>;
  remove(): Promise<void>;
}

interface Segment {
  readonly path: string;
  size: number;
  isFull: boolean;
}

export function createContainerLog(path: string, clock: Clock, log: Log): ContainerLog {
  const segments: Segment[] = [];
  const changed = new EventEmitter().setMaxListeners(0);
  const waiting: string[] = [];
  let waitingBytes = 0;
  let file: FileHandle | undefined;
  let count = 0;
  let ended = false;
  let closed = false;
  let writing: Promise<void> | undefined;
  const paused = new Set<Readable>();

  function add(stream: 'stdout' | 'stderr', text: string, tag: 'F' | 'P', output: Readable): void {
    const time = new Date(clock.now()).toISOString().replace('Z', '000000Z');
    const entry = `${time} ${stream} ${tag} ${text}\n`;
    waiting.push(entry);
    waitingBytes += entry.length;
    if (waitingBytes > logBacklogBytes && !output.isPaused()) {
      output.pause();
      paused.add(output);
    }
    writing ??= write().catch((cause) => log.warn('Container log not written', { path, cause }));
  }

  async function write(): Promise<void> {
    try {
      while (waiting.length > 0) {
        const segment = await current();
        const bytes = Buffer.from(waiting.splice(0).join(''));
        waitingBytes = 0;
        await file?.write(bytes);
        segment.size += bytes.length;
        if (segment.size >= logFileBytes) segment.isFull = true;
        changed.emit('change');
        for (const output of paused) output.resume();
        paused.clear();
      }
    } finally {
      writing = undefined;
    }
  }

  async function current(): Promise<Segment> {
    const last = segments.at(-1);
    if (last !== undefined && !last.isFull) return last;
    await file?.close();
    await mkdir(dirname(path), { recursive: true });
    const segment = { path: count === 0 ? path : `${path}.${count}`, size: 0, isFull: false };
    count += 1;
    file = await open(segment.path, 'w');
    segments.push(segment);
    const oldest = segments.length > 2 ? segments.shift() : undefined;
    if (oldest !== undefined) await unlink(oldest.path);
    return segment;
  }

  async function* entries(follow: boolean, signal: AbortSignal | undefined): AsyncGenerator<string[]> {
    let segment = segments[0];
    while (segment !== undefined || (follow && !closed)) {
      if (segment === undefined) {
        if (!(await change(signal))) return;
        segment = segments[0];
        continue;
      }
      yield* entriesOf(segment, follow, signal);
      if (signal?.aborted || (!segment.isFull && !follow)) return;
      const next: Segment | undefined = segments[segments.indexOf(segment) + 1];
      if (next === undefined && (closed || !follow)) return;
      if (next === undefined && !(await change(signal))) return;
      if (next !== undefined) segment = next;
    }
  }

  async function* entriesOf(segment: Segment, follow: boolean, signal: AbortSignal | undefined) {
    const reader = await open(segment.path, 'r');
    try {
      let offset = 0;
      let rest = '';
      for (;;) {
        if (offset < segment.size) {
          const { bytesRead, buffer } = await reader.read(
            Buffer.alloc(Math.min(segment.size - offset, 1 << 16)),
            0,
            null,
            offset,
          );
          offset += bytesRead;
          // One byte a character: a chunk may end inside of one, a line does not.
          const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
          rest = lines.pop() ?? '';
          yield lines.map((line) => Buffer.from(line, 'latin1').toString());
        } else if (segment.isFull || closed || !follow || !(await change(signal))) {
          return;
        }
      }
    } finally {
      await reader.close();
    }
  }

  /** False when the reader has gone. */
  async function change(signal: AbortSignal | undefined): Promise<boolean> {
    if (signal?.aborted) return false;
    try {
      await once(changed, 'change', signal === undefined ? {} : { signal });
      return true;
    } catch {
      // Only the signal rejects here.
      return false;
    }
  }

  return {
    attach(stream, output) {
      let rest = '';
      output.setEncoding('utf8');
      output.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) add(stream, line, 'F', output);
        if (rest.length > logLineBytes) {
          add(stream, rest, 'P', output);
          rest = '';
        }
      });
      output.once('close', () => {
        if (rest !== '') add(stream, rest, 'P', output);
      });
    },
    async *read({ follow = false, tailLines, timestamps = false, since, signal }) {
      const format = createFormat(timestamps, since);
      let skip = tailLines === undefined ? 0 : (await countLines(entries(false, signal))) - tailLines;
      for await (const lines of entries(follow, signal)) {
        const kept = skip > 0 ? lines.slice(skip) : lines;
        skip -= lines.length;
        const text = kept.map(format).join('');
        if (text !== '') yield text;
      }
    },
    async end() {
      if (ended) return;
      ended = true;
      await writing;
      closed = true;
      await file?.close();
      changed.emit('change');
    },
    async remove() {
      await Promise.all(segments.splice(0).map((segment) => unlink(segment.path)));
    },
  };
}

async function countLines(entries: AsyncGenerator<string[]>): Promise<number> {
  let count = 0;
  for await (const lines of entries) count += lines.length;
  return count;
}

/** A stored entry as kubectl prints it. A piece of a longer line (P) has no newline of its own. */
function createFormat(timestamps: boolean, since: number | undefined): (entry: string) => string {
  return (entry) => {
    const [time = '', , tag] = entry.split(' ', 3);
    if (since !== undefined && Date.parse(time) < since) return '';
    const text = entry.slice(entry.indexOf(` ${tag} `) + 3);
    return `${timestamps ? `${time} ` : ''}${text}${tag === 'F' ? '\n' : ''}`;
  };
}
