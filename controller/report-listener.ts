// Where agents knock: TLS on one port, handshakes at a pace that the controller can keep, and behind them the ingest.
import { createServer, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { type Clock, listenOn, type ServingCertificate } from '@kubeai/daemon';
import type { Milliseconds } from '@kubeai/units';
import { createAdmission } from './admission.ts';
import { createHandshakes, type Guest } from './handshake.ts';
import { limits } from './limits.ts';
import { cipherSuite } from './record-layer.ts';

export interface ReportListenerOptions {
  readonly clock: Clock;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

export interface ReportListener {
  readonly port: number;
  /** `https://host:port`. */
  readonly url: string;
  /** New handshakes get this certificate from now on; open connections stay as they are. */
  setCertificate(certificate: ServingCertificate): void;
  /** Takes no new connections, lets open ones end, and cuts what is left at the deadline. */
  drain(deadline: Milliseconds): Promise<void>;
}

/** Hands every agent that asks to be let in to `receive`. Throws ListenError when it cannot listen there. */
export async function serveReports(
  receive: (guest: Guest) => void,
  certificate: ServingCertificate,
  { clock, host, port }: ReportListenerOptions,
): Promise<ReportListener> {
  let context = contextOf(certificate);
  const sockets = new Set<Socket>();
  const handshakes = createHandshakes(receive);
  const admission = createAdmission({ clock, perSecond: limits.handshakesPerSecond, atOnce: limits.handshakes });

  const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    const broken = () => undefined;
    socket.on('error', broken);
    const ticket = admission.enter(() => {
      const deadline = clock.after(limits.greeting, () => socket.destroy());
      handshakes.begin(socket, context, () => {
        deadline.stop();
        ticket.leave();
      });
    });
    socket.on('close', () => {
      sockets.delete(socket);
      ticket.leave();
    });
  });
  server.maxConnections = limits.sockets;
  const address = await listenOn(server, { host, port });
  return {
    port: address.port,
    url: `https://${address.authority}`,
    setCertificate(next) {
      context = contextOf(next);
    },
    async drain(deadline) {
      const cut = clock.after(deadline, () => {
        for (const socket of sockets) socket.destroy();
      });
      await new Promise<void>((resolve) => server.close(() => resolve()));
      cut.stop();
    },
  };
}

const contextOf = ({ key, cert }: ServingCertificate) =>
  createSecureContext({ key, cert, minVersion: 'TLSv1.3', ciphers: cipherSuite });
