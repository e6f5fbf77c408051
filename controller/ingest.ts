// Takes the agents' reports: one connection a pod, a line a second. What is wrong is counted and answered by a reason of
// the protocol's list; what is right is handed on. Which target a pod belongs to is not known here.
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
  reportsPath,
  reportsProtocol,
} from '@kubeai/protocol';
import { elapsed, type Instant, seconds } from '@kubeai/units';
import type { Guest } from './handshake.ts';
import { limits } from './limits.ts';
import type { LineEvents, SecureLine } from './secure-line.ts';
import type { TokenReviews } from './token-reviews.ts';

export interface IngestOptions {
  readonly tokens: TokenReviews;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes a good report in. False when no such pod is known. */
  readonly accept: (report: Report, receivedAt: Instant) => boolean;
}

export interface Ingest {
  receive(guest: Guest): void;
  /** The API server says that the pod is gone: its connection is closed. */
  forget(uid: string): void;
  connections(): number;
  /** Reports taken, and those turned away by reason, since the start. */
  readonly counts: { accepted: number; readonly refused: Record<Refusal, number> };
  stop(): void;
}

interface Connection {
  readonly pod: PodIdentity;
  readonly line: SecureLine;
  /** The token's end: the agent has to come again with the next. */
  readonly until: Instant;
  readonly openedAt: Instant;
  run: string;
  sequence: number;
  lastAt: Instant;
  allowance: number;
  refusedInARow: number;
  /** The newest report that was taken and not acknowledged, refusals not yet written, and when some were written last. */
  taken: number | undefined;
  answer: string;
  answeredAt: Instant | undefined;
  closed: boolean;
}

type Judged = { readonly sequence: number } | { readonly sequence?: number; readonly reason: Refusal };

export function createIngest(options: IngestOptions): Ingest {
  const { tokens, clock, log } = options;
  const connections = new Map<string, Connection>();
  const refused = Object.fromEntries(Object.keys(refusals).map((reason) => [reason, 0])) as Record<Refusal, number>;
  const counts = { accepted: 0, refused };

  /** What is to be written now. One acknowledgement covers all that was taken before. */
  const answerOf = (connection: Connection): string => {
    const { taken, answer } = connection;
    connection.taken = undefined;
    connection.answer = '';
    return taken === undefined ? answer : answer + encodeAcknowledgement({ kind: 'accepted', sequence: taken });
  };

  const close = (connection: Connection, reason?: Refusal) => {
    if (connections.get(connection.pod.uid) === connection) connections.delete(connection.pod.uid);
    if (connection.closed) return;
    connection.closed = true;
    if (reason !== undefined) {
      counts.refused[reason] += 1;
      connection.answer =
        answerOf(connection) + encodeAcknowledgement({ kind: 'refused', reason, message: refusals[reason] });
    }
    connection.line.end(answerOf(connection));
    // Who does not close its end as well is not waited for.
    clock.after(limits.farewell, () => connection.line.cut());
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
    // The text of one report is not kept for another's sake.
    if (connection.run !== report.run) connection.run = report.run;
    connection.sequence = sequence;
    return { sequence };
  }

  function serve(line: SecureLine, pod: PodIdentity, until: Instant): LineEvents {
    const now = clock.now();
    const old = connections.get(pod.uid);
    const connection: Connection = {
      pod,
      line,
      until,
      openedAt: now,
      // Numbers go on over connections, so that what was sent again is recognised.
      run: old?.run ?? remembered.get(pod.uid)?.run ?? '',
      sequence: old?.sequence ?? remembered.get(pod.uid)?.sequence ?? -1,
      lastAt: now,
      allowance: limits.reportBurst,
      refusedInARow: 0,
      taken: undefined,
      answer: '',
      answeredAt: undefined,
      closed: false,
    };
    // The newest connection of a pod is its agent; an older one is a leftover of a broken path.
    if (old !== undefined) close(old);
    connections.set(pod.uid, connection);

    const refuse = (reason: Refusal, sequence?: number) => {
      counts.refused[reason] += 1;
      connection.refusedInARow += 1;
      // A refusal is news; what was taken can wait.
      connection.answeredAt = undefined;
      const number = sequence === undefined ? {} : { sequence };
      // In the order in which the lines came.
      connection.answer =
        answerOf(connection) + encodeAcknowledgement({ kind: 'refused', ...number, reason, message: refusals[reason] });
    };
    const lines = createLineReader(
      maxReportBytes,
      (text) => {
        const taken = take(connection, text, clock.now());
        if ('reason' in taken) return refuse(taken.reason, taken.sequence);
        counts.accepted += 1;
        connection.refusedInARow = 0;
        connection.taken = taken.sequence;
      },
      () => refuse('TooLarge'),
    );
    return {
      text(chunk) {
        lines.feed(chunk);
        const { answeredAt } = connection;
        if (
          (connection.taken !== undefined || connection.answer !== '') &&
          (answeredAt === undefined || elapsed(answeredAt, clock.now()) >= limits.answerEvery)
        ) {
          connection.answeredAt = clock.now();
          line.write(answerOf(connection));
        }
        if (line.unread() > limits.unreadBytes) line.cut();
        // The answers first: they say what is wrong.
        else if (connection.refusedInARow >= limits.refusalsInARow) close(connection);
      },
      ended: () => close(connection),
      closed() {
        remember(pod.uid, connection);
        if (connections.get(pod.uid) === connection) connections.delete(pod.uid);
        connection.closed = true;
      },
    };
  }

  // The last number of each pod whose connection has closed, until the pod is gone.
  const remembered = new Map<string, { readonly run: string; readonly sequence: number }>();
  const remember = (uid: string, { run, sequence }: Connection) => {
    if (connections.get(uid)?.run === run && connections.get(uid)!.sequence > sequence) return;
    remembered.delete(uid);
    remembered.set(uid, { run, sequence });
    if (remembered.size > limits.agents) remembered.delete(remembered.keys().next().value!);
  };

  function turnAway(guest: Guest, code: number, reason: Refusal | undefined, message: string): void {
    if (reason !== undefined) counts.refused[reason] += 1;
    guest.turnAway(
      code,
      {
        'content-type': reason === undefined ? 'text/plain; charset=utf-8' : 'application/x-ndjson',
        ...(code === 503 ? { 'retry-after': '5' } : {}),
        ...(code === 426 ? { upgrade: reportsProtocol } : {}),
      },
      reason === undefined ? `${message}\n` : encodeAcknowledgement({ kind: 'refused', reason, message }),
    );
  }

  async function admit(guest: Guest, token: string): Promise<void> {
    const verdict = await tokens.review(token);
    if (verdict.kind === 'pod') guest.letIn(reportsProtocol, (line) => serve(line, verdict.pod, verdict.until));
    else if (verdict.kind === 'refused') turnAway(guest, 401, 'Unauthenticated', verdict.message);
    else turnAway(guest, 503, undefined, verdict.message);
  }

  return {
    receive(guest) {
      const { method, url, headers } = guest.request;
      if (url?.split('?')[0] !== reportsPath) {
        return turnAway(guest, 404, undefined, `reports go to ${reportsPath}`);
      }
      if (method !== 'GET') return turnAway(guest, 405, undefined, 'a connection for reports is asked for with GET');
      if (headers.upgrade !== reportsProtocol) {
        return turnAway(
          guest,
          426,
          undefined,
          `reports are sent as ${reportsProtocol}, asked for by an Upgrade header`,
        );
      }
      const token = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
      if (token === undefined) return turnAway(guest, 401, 'Unauthenticated', 'no bearer token was sent');
      if (connections.size >= limits.agents) return turnAway(guest, 503, undefined, 'too many agents are connected');
      admit(guest, token).catch((cause: unknown) => {
        log.error('Admitting an agent failed', { cause });
        guest.request.destroy();
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
