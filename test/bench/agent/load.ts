// The clients of the benchmark: raw keep-alive connections, each with one request at a time. Told what to do over IPC,
// so that its own start is in no measurement.
import { connect, type Socket } from 'node:net';
import { createHistogram } from 'node:perf_hooks';

export interface Work {
  readonly port: number;
  readonly connections: number;
  readonly milliseconds: number;
  /** `hold`: one request a connection, which then stays open until the time is over. */
  readonly kind: 'get' | 'sse' | 'sse-unpaced' | 'upload' | 'hold';
  /** Pause between an answer and the next request of a connection; 0 for none. */
  readonly pauseMs: number;
}
export interface Outcome {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const head = (line: string, more = '') =>
  `${line} HTTP/1.1\r\nhost: model.local\r\nuser-agent: bench\r\naccept: */*\r\ncontent-type: application/json\r\n${more}\r\n`;
const uploadBytes = 1024 * 1024;
const requests: Record<Work['kind'], Buffer> = {
  get: Buffer.from(head('GET /v1/completions')),
  hold: Buffer.from(head('GET /v1/completions')),
  sse: Buffer.from(head('GET /sse')),
  'sse-unpaced': Buffer.from(head('GET /sse/unpaced')),
  upload: Buffer.concat([
    Buffer.from(head('POST /v1/completions', `content-length: ${uploadBytes}\r\n`)),
    Buffer.alloc(uploadBytes, 'x'),
  ]),
};
const lastChunk = Buffer.from('\r\n0\r\n\r\n');

async function run({ port, connections, milliseconds, kind, pauseMs }: Work): Promise<Outcome> {
  const latencies = createHistogram();
  const request = requests[kind];
  let finished = 0;
  let over = false;
  const sockets: Socket[] = [];
  const failures: Error[] = [];

  const open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
      socket.on('error', reject);
    });

  const play = (socket: Socket): void => {
    let begun = 0n;
    let wanted = 0;
    let got = 0;
    let tail = Buffer.alloc(0);
    const send = (): void => {
      if (over) return;
      wanted = 0;
      got = 0;
      begun = process.hrtime.bigint();
      socket.write(request);
    };
    const done = (): void => {
      latencies.record(process.hrtime.bigint() - begun);
      finished += 1;
      if (kind === 'hold') return;
      if (pauseMs === 0) send();
      else setTimeout(send, pauseMs);
    };
    socket.on('data', (chunk) => {
      if (kind === 'sse' || kind === 'sse-unpaced') {
        tail =
          chunk.length >= lastChunk.length
            ? chunk.subarray(-lastChunk.length)
            : Buffer.concat([tail, chunk]).subarray(-lastChunk.length);
        if (tail.equals(lastChunk)) done();
        return;
      }
      if (wanted === 0) {
        const end = chunk.indexOf('\r\n\r\n');
        const length = Number(/content-length: (\d+)/i.exec(chunk.toString('latin1', 0, end))?.[1]);
        wanted = end + 4 + length;
      }
      got += chunk.length;
      if (got >= wanted) done();
    });
    socket.on('close', () => {
      if (!over) failures.push(new Error('a connection was closed'));
    });
    send();
  };

  for (let at = 0; at < connections; at += 1) sockets.push(await open());
  const start = process.hrtime.bigint();
  for (const [at, socket] of sockets.entries())
    setTimeout(() => play(socket), pauseMs === 0 ? 0 : (at * pauseMs) / connections);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  over = true;
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const requestsDone = finished;
  for (const socket of sockets) socket.destroy();
  if (failures.length > 0) throw failures[0];
  return {
    requests: requestsDone,
    seconds,
    p50Us: latencies.percentile(50) / 1_000,
    p99Us: latencies.percentile(99) / 1_000,
  };
}

process.on('message', (work: Work) => {
  run(work).then(
    (outcome) => process.send?.({ outcome }),
    (cause: unknown) => process.send?.({ problem: String(cause) }),
  );
});
