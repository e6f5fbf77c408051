// Takes the agents' reports: one long request a pod, a line a second. Bare node:http, because ten thousand pods make
// this the busiest path of the controller. What is wrong is counted and answered by a reason of the protocol's list;
// what is right is handed on. Which target a pod belongs to is not known here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Log } from '@kubeai/daemon';
import {
  createLineReader,
  encodeAcknowledgement,
  maxReportBytes,
  type PodIdentity,
  parseReportLine,
  type Refusal,
  type Report,
  refusals,
} from '@kubeai/protocol';
import { elapsed, type Instant, seconds } from '@kubeai/units';
import { limits } from './limits.ts';
import type { TokenReviews } from './token-reviews.ts';

export interface IngestOptions {
  readonly tokens: TokenReviews;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes a good report in. False when no such pod is known. */
  readonly accept: (report: Report, receivedAt: Instant) => boolean;
}

export interface Ingest {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** The API server says that the pod is gone: its connection is closed. */
  forget(uid: string): void;
  connections(): number;
  /** Reports taken, and those turned away by reason, since the start. */
  readonly counts: { accepted: number; readonly refused: Record<Refusal, number> };
  stop(): void;
}

interface Connection {
  readonly pod: PodIdentity;
  readonly response: ServerResponse;
  /** The token's end: the agent has to come again with the next. */
  readonly until: Instant;
  readonly openedAt: Instant;
  run: string;
  sequence: number;
  lastAt: Instant;
  allowance: number;
  refusedInARow: number;
  /** Acknowledgements not yet written, and when some were written last. */
  answer: string;
  answeredAt: Instant | undefined;
}

type Judged = { readonly sequence: number } | { readonly sequence?: number; readonly reason: Refusal };

export function createIngest(options: IngestOptions): Ingest {
  const { tokens, clock, log } = options;
  const connections = new Map<string, Connection>();
  const refused = Object.fromEntries(Object.keys(refusals).map((reason) => [reason, 0])) as Record<Refusal, number>;
  const counts = { accepted: 0, refused };

  const close = (connection: Connection, reason?: Refusal) => {
    if (connections.get(connection.pod.uid) === connection) connections.delete(connection.pod.uid);
    if (connection.response.writableEnded) return;
    if (reason !== undefined) {
      counts.refused[reason] += 1;
      connection.answer += encodeAcknowledgement({ kind: 'refused', reason, message: refusals[reason] });
    }
    connection.response.end(connection.answer);
  };

  // One look at all connections now and then instead of a timer for each.
  const sweep = clock.every(seconds(5), () => {
    const now = clock.now();
    for (const connection of connections.values()) {
      if (connection.until <= now) close(connection, 'Unauthenticated');
      else if (elapsed(connection.lastAt, now) > limits.silence) close(connection);
    }
  });

  /** Judges one line; returns its number where it could be read, and why it is refused. */
  function take(connection: Connection, line: string, now: Instant): Judged {
    // The clock was set back: what was then is no time ago.
    if (now < connection.lastAt) {
      connection.lastAt = now;
      connection.answeredAt = undefined;
    }
    connection.allowance = Math.min(
      limits.reportBurst,
      connection.allowance + (elapsed(connection.lastAt, now) / 1_000) * limits.reportsPerSecond,
    );
    connection.lastAt = now;
    if (connection.allowance < 1) return { reason: 'TooMany' };
    connection.allowance -= 1;
    const parsed = parseReportLine(line);
    if (!parsed.ok) {
      log.debug('Refused a report', { pod: connection.pod, problems: parsed.problems });
      return { reason: parsed.problems[0]?.field === 'version' ? 'UnsupportedVersion' : 'Malformed' };
    }
    const report = parsed.value;
    const { pod } = connection;
    const { sequence } = report;
    if (report.pod.uid !== pod.uid || report.pod.name !== pod.name || report.pod.namespace !== pod.namespace) {
      return { sequence, reason: 'WrongPod' };
    }
    // Within one start of an agent numbers grow; a report that was sent again after a lost connection has been counted.
    if (report.run === connection.run && sequence <= connection.sequence) return { sequence, reason: 'Duplicate' };
    if (!options.accept(report, now) && elapsed(connection.openedAt, now) > limits.unknownPodFor) {
      return { sequence, reason: 'UnknownPod' };
    }
    connection.run = report.run;
    connection.sequence = sequence;
    return { sequence };
  }

  function serve(request: IncomingMessage, response: ServerResponse, pod: PodIdentity, until: Instant): void {
    const now = clock.now();
    const old = connections.get(pod.uid);
    const connection: Connection = {
      pod,
      response,
      until,
      openedAt: now,
      // Numbers go on over connections, so that what was sent again is recognised.
      run: old?.run ?? remembered.get(pod.uid)?.run ?? '',
      sequence: old?.sequence ?? remembered.get(pod.uid)?.sequence ?? -1,
      lastAt: now,
      allowance: limits.reportBurst,
      refusedInARow: 0,
      answer: '',
      answeredAt: undefined,
    };
    // The newest connection of a pod is its agent; an older one is a leftover of a broken path.
    if (old !== undefined) close(old);
    connections.set(pod.uid, connection);
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    request.socket.setNoDelay(true);

    const refuse = (reason: Refusal, sequence?: number) => {
      counts.refused[reason] += 1;
      connection.refusedInARow += 1;
      // A refusal is news; what was taken can wait.
      connection.answeredAt = undefined;
      const number = sequence === undefined ? {} : { sequence };
      connection.answer += encodeAcknowledgement({ kind: 'refused', ...number, reason, message: refusals[reason] });
    };
    const lines = createLineReader(
      maxReportBytes,
      (line) => {
        const taken = take(connection, line, clock.now());
        if ('reason' in taken) return refuse(taken.reason, taken.sequence);
        counts.accepted += 1;
        connection.refusedInARow = 0;
        connection.answer += encodeAcknowledgement({ kind: 'accepted', sequence: taken.sequence });
      },
      () => refuse('TooLarge'),
    );
    request.on('data', (chunk: Buffer) => {
      if (response.writableEnded) return;
      lines.feed(chunk);
      const { answeredAt } = connection;
      if (
        connection.answer !== '' &&
        (answeredAt === undefined || elapsed(answeredAt, clock.now()) >= limits.answerEvery)
      ) {
        connection.answeredAt = clock.now();
        response.write(connection.answer);
        connection.answer = '';
      }
      if (response.writableLength > limits.unreadBytes) request.destroy();
      else if (connection.refusedInARow >= limits.refusalsInARow) {
        // The answers first: they say what is wrong.
        response.once('finish', () => request.destroy());
        close(connection);
      }
    });
    const gone = () => {
      remember(pod.uid, connection);
      close(connection);
    };
    request.on('end', gone);
    response.on('close', gone);
    request.on('error', (cause) => log.debug('Connection of an agent broke', { pod, cause }));
  }

  // The last number of each pod whose connection has closed, until the pod is gone.
  const remembered = new Map<string, { readonly run: string; readonly sequence: number }>();
  const remember = (uid: string, { run, sequence }: Connection) => {
    if (connections.get(uid)?.run === run && connections.get(uid)!.sequence > sequence) return;
    remembered.delete(uid);
    remembered.set(uid, { run, sequence });
    if (remembered.size > limits.agents) remembered.delete(remembered.keys().next().value!);
  };

  function turnAway(response: ServerResponse, code: number, reason: Refusal | undefined, message: string): void {
    if (reason !== undefined) counts.refused[reason] += 1;
    response.writeHead(code, {
      'content-type': reason === undefined ? 'text/plain; charset=utf-8' : 'application/x-ndjson',
      connection: 'close',
      ...(code === 503 ? { 'retry-after': '5' } : {}),
    });
    response.end(reason === undefined ? `${message}\n` : encodeAcknowledgement({ kind: 'refused', reason, message }));
  }

  async function admit(request: IncomingMessage, response: ServerResponse, token: string): Promise<void> {
    const verdict = await tokens.review(token);
    // The agent may have left while the API server was asked.
    if (request.destroyed || response.destroyed) return;
    if (verdict.kind === 'pod') serve(request, response, verdict.pod, verdict.until);
    else if (verdict.kind === 'refused') turnAway(response, 401, 'Unauthenticated', verdict.message);
    else turnAway(response, 503, undefined, verdict.message);
  }

  return {
    handle(request, response) {
      const path = request.url?.split('?')[0];
      if (path !== '/v1/reports') return turnAway(response, 404, undefined, 'reports go to /v1/reports');
      if (request.method !== 'POST') return turnAway(response, 405, undefined, 'reports are sent with POST');
      if (!request.headers['content-type']?.startsWith('application/x-ndjson')) {
        return turnAway(response, 415, undefined, 'reports are application/x-ndjson, one JSON line each');
      }
      const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
      if (token === undefined) return turnAway(response, 401, 'Unauthenticated', 'no bearer token was sent');
      if (connections.size >= limits.agents) return turnAway(response, 503, undefined, 'too many agents are connected');
      admit(request, response, token).catch((cause: unknown) => {
        log.error('Admitting an agent failed', { cause });
        response.destroy();
      });
    },
    forget(uid) {
      const connection = connections.get(uid);
      if (connection !== undefined) close(connection, 'UnknownPod');
      remembered.delete(uid);
    },
    connections: () => connections.size,
    counts,
    stop() {
      sweep.stop();
      for (const connection of connections.values()) close(connection);
    },
  };
}
