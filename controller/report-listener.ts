// Where agents knock: TLS on one port, handshakes at a pace that the controller can keep, and behind them the ingest.
import { createServer, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { type Clock, listenOn, readInto, type ServingCertificate } from '@kubeai/daemon';
import type { Milliseconds } from '@kubeai/units';
import { createAdmission, type Ticket } from './admission.ts';
import { createHandshakes, type Guest } from './handshake.ts';
import { limits } from './limits.ts';
import { cipherSuite, cutRecords } from './record-layer.ts';

export interface ReportListenerOptions {
  readonly clock: Clock;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** What is shown to agents, and what their sessions are sealed with: where that stays the same, they are resumed. */
export interface ServingIdentity {
  readonly serving: ServingCertificate;
  readonly ticketKeys: Buffer;
}

export interface ReportListener {
  readonly port: number;
  /** `https://host:port`. */
  readonly url: string;
  /** New handshakes get this certificate from now on; open connections stay as they are. */
  setIdentity(identity: ServingIdentity): void;
  /** Takes no new connections, lets open ones end, and cuts what is left at the deadline. */
  drain(deadline: Milliseconds): Promise<void>;
}

/** Hands every agent that asks to be let in to `receive`. Throws ListenError when it cannot listen there. */
export async function serveReports(
  receive: (guest: Guest) => void,
  identity: ServingIdentity,
  { clock, host, port }: ReportListenerOptions,
): Promise<ReportListener> {
  let context = contextOf(identity);
  const sockets = new Set<Socket>();
  let emptied: (() => void) | undefined;
  const handshakes = createHandshakes(receive);
  const admission = createAdmission({ clock, perSecond: limits.handshakesPerSecond, atOnce: limits.handshakes });

  const server = createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
    if (sockets.size >= limits.sockets) return void accepted.destroy();
    const socket = readTogether(accepted);
    sockets.add(socket);
    let hello = nothing;
    let ticket: Ticket | undefined;
    let deadline = clock.after(limits.greeting, () => socket.destroy());
    // Whoever has not said a whole first word waits for no turn, and so takes nobody's.
    const listen = (chunk: Buffer): void => {
      hello = Buffer.concat([hello, chunk]);
      let isWhole = false;
      const rest = cutRecords(hello, () => {
        isWhole = true;
      });
      if (rest === undefined || hello.length > limits.helloBytes) socket.destroy();
      else if (isWhole && ticket === undefined) {
        deadline.stop();
        ticket = admission.enter(begin);
      }
    };
    const begin = (): void => {
      deadline = clock.after(limits.greeting, () => socket.destroy());
      socket.off('data', listen);
      handshakes.begin(socket, context, hello, () => {
        deadline.stop();
        ticket?.leave();
      });
      // Not to be kept for as long as the connection.
      hello = nothing;
    };
    socket.on('error', broken).on('data', listen);
    socket.on('close', () => {
      sockets.delete(socket);
      deadline.stop();
      ticket?.leave();
      if (sockets.size === 0) emptied?.();
    });
  });
  const address = await listenOn(server, { host, port });
  return {
    port: address.port,
    url: `https://${address.authority}`,
    setIdentity(next) {
      context = contextOf(next);
    },
    async drain(deadline) {
      const cut = clock.after(deadline, () => {
        for (const socket of sockets) socket.destroy();
      });
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => {
        emptied = resolve;
        if (sockets.size === 0) resolve();
      });
      cut.stop();
    },
  };
}

// What one connection says is taken in before the next is read, so that all of them are read into the same bytes. Node would make 64 KiB
// for each time that an agent speaks, and give back all but a report's (bench:ingest).
const bytes = Buffer.allocUnsafeSlow(limits.readBytes);

/** Its chunks are valid until the listener returns. */
function readTogether(accepted: Socket): Socket {
  const callback = (length: number): boolean => socket.emit('data', bytes.subarray(0, length));
  const socket: Socket = readInto(accepted, { buffer: bytes, callback }, { allowHalfOpen: false });
  return socket;
}

const nothing: Buffer = Buffer.alloc(0);
const broken = () => undefined;

// Who comes back with a session of an hour ago is spared the certificate, and we the signature. Keys are agreed on anew, and its token
// is reviewed as ever (docs/decisions/0017).
const contextOf = ({ serving: { key, cert }, ticketKeys }: ServingIdentity) =>
  createSecureContext({
    key,
    cert,
    minVersion: 'TLSv1.3',
    ciphers: cipherSuite,
    ticketKeys,
    sessionTimeout: limits.session / 1_000,
  });
