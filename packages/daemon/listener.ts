// One HTTP or HTTPS server with the settings that Kubernetes needs and a drain that cuts nobody off.
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { type FieldProblem, type Milliseconds, seconds } from '@kubeai/units';

export interface ListenOptions {
  readonly host: string;
  /** 0 lets the system choose; the listener says which it is. */
  readonly port: number;
  /** How long one request may take to arrive in full; 0 for streams that never end. Default 300 s. */
  readonly requestTimeout?: Milliseconds;
  /** More connections than this are refused. Default: no limit. */
  readonly maxConnections?: number;
}

/** PEM text: the private key, and the certificate with its chain. */
export interface ServingCertificate {
  readonly key: string;
  readonly cert: string;
}

/** An address that cannot be listened on. Its problem fits exitWith. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly problem: FieldProblem;
  constructor(problem: FieldProblem, cause: unknown) {
    super(`${problem.field} ${problem.message}`, { cause });
    this.problem = problem;
  }
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** `http://host:port` or `https://host:port`. */
  readonly url: string;
  readonly server: Server | SecureServer;
  /** Takes no new connections, lets requests in flight end, and cuts what is left at the deadline. */
  drain(deadline: Milliseconds): Promise<void>;
}

export interface SecureListener extends Listener {
  /** New handshakes get this certificate from now on; open connections stay as they are. */
  setCertificate(certificate: ServingCertificate): void;
}

// The API server keeps idle connections to webhooks for 90 s. Node's own 5 s would close one just as it is reused.
const keepAlive = seconds(120);

/** Serves plain HTTP. Throws ListenError when it cannot listen there. */
export async function serveHttp(handler: RequestListener, options: ListenOptions): Promise<Listener> {
  return await listen(createServer(handler), 'http', options);
}

/** Serves HTTPS; the rest as serveHttp. */
export async function serveHttps(
  handler: RequestListener,
  certificate: ServingCertificate,
  options: ListenOptions,
): Promise<SecureListener> {
  const server = createSecureServer({ ...certificate, minVersion: 'TLSv1.2' }, handler);
  const listener = await listen(server, 'https', options);
  return {
    ...listener,
    setCertificate: ({ key, cert }) => server.setSecureContext({ key, cert, minVersion: 'TLSv1.2' }),
  };
}

async function listen(
  server: Server | SecureServer,
  scheme: 'http' | 'https',
  options: ListenOptions,
): Promise<Listener> {
  server.keepAliveTimeout = keepAlive;
  server.headersTimeout = keepAlive + seconds(5);
  server.requestTimeout = options.requestTimeout ?? seconds(300);
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections;

  let draining = false;
  server.prependListener('request', (_request, response) => {
    if (draining) response.setHeader('connection', 'close');
    response.once('close', () => {
      if (draining) setImmediate(() => server.closeIdleConnections());
    });
  });

  const { port, authority } = await listenOn(server, options);

  return {
    host: options.host,
    port,
    url: `${scheme}://${authority}`,
    server,
    async drain(deadline) {
      draining = true;
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), deadline);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
      });
    },
  };
}

export interface ListenAddress {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** Has any server listen; tells on which port, and the `host:port` of its URLs. Throws ListenError when it cannot. */
export async function listenOn(
  server: NetServer,
  address: ListenAddress,
): Promise<{ readonly port: number; readonly authority: string }> {
  await new Promise<void>((resolve, reject) => {
    // Stays for good: a later failure to accept (too many open files) must cost that connection, not the process.
    server.on('error', (cause: NodeJS.ErrnoException) => reject(listenProblem(cause, address)));
    server.listen({ host: address.host, port: address.port, backlog: 4_096 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const shown = address.host.includes(':') ? `[${address.host}]` : address.host;
  return { port, authority: `${shown}:${port}` };
}

function listenProblem(cause: NodeJS.ErrnoException, { host, port }: ListenAddress): ListenError {
  const sentences: Record<string, string> = {
    EADDRINUSE: 'is already taken: end the process that listens there, or choose another port',
    EACCES: 'may not be listened on: choose a port above 1023',
    EADDRNOTAVAIL: 'is not an address of this machine: choose another host',
  };
  const message = sentences[cause.code ?? ''] ?? `cannot be listened on: ${cause.message}`;
  return new ListenError({ field: `${host}:${port}`, message }, cause);
}
