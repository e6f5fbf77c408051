// What an agent does to send reports, by hand: a test says what goes over the line and sees everything that comes back.
import { request } from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import { type PodIdentity, protocolVersion, type Report, reportsPath, reportsProtocol } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import type { ReportListener } from '../report-listener.ts';

const empty = createSketch().encode();
export function reportOf(pod: PodIdentity, sequence: number, inFlight: number): Report {
  return {
    version: protocolVersion,
    run: 'one',
    sequence,
    ageMs: 0,
    windowMs: 1_000,
    pod,
    traffic: {
      inFlight,
      waitingFirstByte: 0,
      concurrency: inFlight,
      started: inFlight,
      finished: { '2xx': inFlight },
      failed: 0,
      aborted: 0,
      rejected: 0,
      generatedTokens: 0,
      latencyMs: empty,
      timeToFirstByteMs: empty,
      timeToFirstTokenMs: empty,
      interTokenMs: empty,
      unobservedConnections: 0,
    },
    queue: { length: 0, source: 'firstByte' },
    absent: {},
  };
}

export interface Opened {
  /** Writes as soon as the controller has let us in. */
  write(text: string): void;
  destroy(): void;
  /** Status and everything answered so far. */
  readonly answer: { code: number; text: string; ended: boolean };
}

/** Opens the line of reports; without a token, or otherwise wrong, as `options` of node:https say. */
export async function open(
  listener: ReportListener,
  ca: string,
  token: string | undefined,
  options: object = {},
): Promise<Opened> {
  const asked = request(`${listener.url}${reportsPath}`, {
    ca,
    servername: 'kubeai-controller',
    agent: false,
    headers: {
      connection: 'upgrade',
      upgrade: reportsProtocol,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...options,
  });
  const answer = { code: 0, text: '', ended: false };
  const ended = () => {
    answer.ended = true;
  };
  const listen = (code: number | undefined, stream: Readable) => {
    answer.code = code ?? 0;
    stream.on('data', (chunk) => {
      answer.text += chunk;
    });
    stream.on('error', ended).on('close', ended);
  };
  asked.on('error', ended);
  asked.on('response', (response) => listen(response.statusCode, response));
  const line = new Promise<Duplex>((resolve) => {
    asked.on('upgrade', (response, socket) => {
      listen(response.statusCode, socket);
      resolve(socket);
    });
  });
  asked.end();
  return {
    write: (text) => void line.then((socket) => socket.write(text)),
    destroy() {
      asked.destroy();
      void line.then((socket) => socket.destroy());
    },
    answer,
  };
}
