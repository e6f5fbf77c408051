// Brings reports to the controller over one long-lived TLS connection: a line a report up, a line an acknowledgement
// down. The controller may be gone at any time, for a second or an hour: reports of the last minute wait here and are
// sent again with the age they have by then; nothing else of the agent notices.
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock, Log } from '@kubeai/daemon';
import {
  type Acknowledgement,
  createLineReader,
  encodeReport,
  maxAcknowledgementBytes,
  parseAcknowledgement,
  type Refusal,
  type Report,
  reconnectDelay,
  reportsPath,
  reportsProtocol,
  worthSending,
} from '@kubeai/protocol';
import { type Milliseconds, milliseconds } from '@kubeai/units';
import {
  acknowledgementTimeout,
  connectTimeout,
  credentialInterval,
  maxCredentialBytes,
  refusedReconnectDelay,
} from './limits.ts';

export interface PushState {
  readonly connected: boolean;
  /** Reports that wait for an acknowledgement. */
  readonly kept: number;
  /** Reports that were never acknowledged and are too old now. */
  readonly dropped: number;
  readonly accepted: number;
  readonly refused: number;
  readonly connections: number;
  /** What stands between us and the controller, in words; undefined when nothing does. */
  readonly problem: string | undefined;
}

export interface Push {
  /** Keeps a report whose window ended at `closedAt` (monotonic) and sends it as soon as it can. */
  send(report: Report, closedAt: number): void;
  state(): PushState;
  /** Gives what is kept a last chance to arrive, then closes. */
  stop(deadline: Milliseconds): Promise<void>;
}

export interface PushOptions {
  readonly url: URL;
  readonly serverName: string;
  readonly tokenFile: string;
  readonly caFile: string;
  readonly clock: Clock;
  readonly log: Log;
}

interface KeptReport {
  readonly report: Report;
  readonly closedAt: number;
  /** On which connection it was written; another one must write it again. */
  sentOn: number;
}

interface Credentials {
  readonly token: string;
  readonly ca: string;
}

/** Refusals that say something of one report; the others are about the connection, and its reports may try again. */
const ofOneReport: ReadonlySet<Refusal> = new Set([
  'Malformed',
  'Duplicate',
  'TooOld',
  'TooLarge',
  'UnsupportedVersion',
]);

/** Connects by itself, again and again, until stopped. */
export function startPush(options: PushOptions): Push {
  const { clock, log } = options;
  const url = new URL(reportsPath, options.url);
  const stopped = new AbortController();
  let kept: KeptReport[] = [];
  let dropped = 0;
  let accepted = 0;
  let refused = 0;
  let connections = 0;
  let attempts = 0;
  let problem: string | undefined = 'not connected yet';
  let lastRefusal: string | undefined;

  /** Where reports are written, once the controller has let us in. */
  let stream: Socket | undefined;
  /** Ends what is under way, however far it is. */
  let cut: ((why: string) => void) | undefined;
  let blocked = false;
  let heardAt = 0;
  let used: Credentials | undefined;
  /** What the controller gave to resume the session with, under the authorities of then. */
  let known: { readonly session: Buffer; readonly ca: string } | undefined;
  let emptied: (() => void) | undefined;

  const forgetOld = (now: number): void => {
    const before = kept.length;
    kept = worthSending(kept, now);
    dropped += before - kept.length;
  };

  const pump = (): void => {
    const now = clock.monotonic();
    for (const each of kept) {
      if (stream === undefined || blocked) return;
      if (each.sentOn === connections) continue;
      each.sentOn = connections;
      const line = encodeReport({ ...each.report, ageMs: Math.max(0, Math.round(now - each.closedAt)) });
      if (!stream.write(line)) blocked = true;
    }
  };

  const settle = (acknowledgement: Acknowledgement): void => {
    heardAt = clock.monotonic();
    const before = kept.length;
    if (acknowledgement.kind === 'accepted') {
      const { sequence } = acknowledgement;
      kept = kept.filter(({ report, sentOn }) => sentOn !== connections || report.sequence > sequence);
      accepted += before - kept.length;
      attempts = 0;
      problem = undefined;
      lastRefusal = undefined;
    } else {
      refused += 1;
      problem = `${acknowledgement.reason}: ${acknowledgement.message}`;
      // A second of refusals is one event, not sixty log lines a minute.
      if (lastRefusal !== acknowledgement.reason) log.warn('The controller refused a report', { ...acknowledgement });
      lastRefusal = acknowledgement.reason;
      const judged = refusedBy(acknowledgement);
      kept = kept.filter(({ report }) => report.sequence !== judged);
    }
    if (kept.length === 0) emptied?.();
  };

  /** The report that is refused; lines are judged in the order in which they were written, so no number means the oldest. */
  const refusedBy = ({ reason, sequence }: Acknowledgement & { readonly kind: 'refused' }): number | undefined => {
    if (!ofOneReport.has(reason)) return undefined;
    return sequence ?? kept.find(({ sentOn }) => sentOn === connections)?.report.sequence;
  };

  /** One connection, from its first byte to its last; resolves with the least time to wait before the next one. */
  const connectOnce = (request: typeof secureRequest, credentials: Credentials): Promise<Milliseconds> =>
    new Promise((resolve) => {
      connections += 1;
      blocked = false;
      heardAt = clock.monotonic();
      let over = false;
      const resumption: object = known?.ca === credentials.ca ? { session: known.session } : {};
      const opening = request(url, {
        agent: false,
        ca: credentials.ca,
        ...resumption,
        servername: options.serverName,
        headers: { authorization: `Bearer ${credentials.token}`, connection: 'upgrade', upgrade: reportsProtocol },
      });
      const finish = (why: string | undefined, least: number): void => {
        if (over) return;
        over = true;
        if (why !== undefined) problem = why;
        opening.destroy();
        stream?.destroy();
        stream = undefined;
        cut = undefined;
        resolve(milliseconds(least));
      };
      cut = (why) => finish(why, 0);
      opening.on('socket', (socket) =>
        socket.on('session', (session: Buffer) => {
          known = { session, ca: credentials.ca };
        }),
      );
      opening.on('error', (cause: NodeJS.ErrnoException) => finish(`${cause.code ?? 'error'}: ${cause.message}`, 0));
      opening.on('response', (response: IncomingMessage) => {
        response.resume();
        const notYet = response.statusCode === 401 || response.statusCode === 403;
        finish(`the controller answered ${response.statusCode}`, notYet ? refusedReconnectDelay : 0);
      });
      opening.on('upgrade', (_answer, socket: Socket, first: Buffer) => {
        if (over) return void socket.destroy();
        stream = socket;
        heardAt = clock.monotonic();
        const lines = createLineReader(
          maxAcknowledgementBytes,
          (line) => {
            const acknowledgement = parseAcknowledgement(line);
            if (acknowledgement !== undefined) settle(acknowledgement);
          },
          () => finish('the controller answered a line that is too long', 0),
        );
        const ended = () => finish(rotating(credentials) ? undefined : 'the controller closed the connection', 0);
        socket.setNoDelay(true);
        socket.on('data', (chunk: Buffer) => lines.feed(chunk));
        socket.on('drain', () => {
          blocked = false;
          pump();
        });
        socket.on('error', (cause) => finish(cause.message, 0));
        socket.on('end', ended).on('close', ended);
        lines.feed(first);
        pump();
      });
      opening.end();
    });

  // A connection that was closed because its credentials changed is no trouble.
  const rotating = (credentials: Credentials): boolean => used !== credentials;

  const watch = clock.every(milliseconds(1_000), () => {
    const patience = stream === undefined ? connectTimeout : acknowledgementTimeout;
    if (kept.length > 0 && clock.monotonic() - heardAt > patience) cut?.('no acknowledgement came');
  });

  const watchCredentials = clock.every(credentialInterval, () => {
    if (stream === undefined || used === undefined) return;
    void readCredentials(options).then((now) => {
      if (typeof now === 'string' || used === undefined) return;
      if (now.token === used.token && now.ca === used.ca) return;
      log.info('Reconnecting with new credentials');
      used = undefined;
      stream?.end();
    });
  });

  void (async () => {
    // Loaded by who pushes: TLS is a megabyte.
    const { request } = await import('node:https');
    while (!stopped.signal.aborted) {
      const credentials = await readCredentials(options);
      let least: number = refusedReconnectDelay;
      let wasRotated = false;
      if (typeof credentials === 'string') problem = credentials;
      else {
        used = credentials;
        least = await connectOnce(request, credentials);
        wasRotated = rotating(credentials);
      }
      if (stopped.signal.aborted) return;
      if (wasRotated) continue;
      const delay = reconnectDelay(attempts, Math.random());
      if (attempts === 0) log.warn('Lost the controller', { problem });
      attempts = Math.min(attempts + 1, 16);
      await clock.sleep(milliseconds(Math.max(least, delay)), stopped.signal);
    }
  })();

  return {
    send(report, closedAt) {
      kept.push({ report, closedAt, sentOn: 0 });
      forgetOld(clock.monotonic());
      pump();
    },
    state: () => ({
      connected: stream !== undefined,
      kept: kept.length,
      dropped,
      accepted,
      refused,
      connections,
      problem,
    }),
    async stop(deadline) {
      watch.stop();
      watchCredentials.stop();
      if (kept.length > 0 && stream !== undefined)
        await Promise.race([new Promise<void>((resolve) => (emptied = resolve)), clock.sleep(deadline)]);
      stopped.abort();
      stream?.end();
      cut?.('stopped');
    },
  };
}

/** Both files, or a sentence that says which cannot be had. */
async function readCredentials({ tokenFile, caFile }: PushOptions): Promise<Credentials | string> {
  const read = async (file: string): Promise<string> => {
    const content = await readFile(file, 'utf8');
    if (content.length > maxCredentialBytes) throw new Error(`${file} is larger than a credential`);
    return content.trim();
  };
  try {
    return { token: await read(tokenFile), ca: await read(caFile) };
  } catch (cause) {
    return `credentials cannot be read: ${(cause as Error).message}`;
  }
}
