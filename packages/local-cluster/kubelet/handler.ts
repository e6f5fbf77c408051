// Carries out what probes and lifecycle hooks ask for: an HTTP request, a TCP connect, a gRPC health check, a command or
// a sleep. Each is told how long it may take, and answers with what it found; none of them throws.
import { request as plainRequest } from 'node:http';
import { connect as connectSession } from 'node:http2';
import { request as secureRequest } from 'node:https';
import { connect } from 'node:net';
import type { Clock } from '@kubeai/daemon';
import { type Milliseconds, seconds } from '@kubeai/units';
import type { Container, Handler, HttpGet, Port } from '../workloads/objects.ts';
import { probeBodyBytes } from './limits.ts';

export interface Found {
  readonly ok: boolean;
  readonly message: string;
}

export interface HandlerHost {
  readonly address: string;
  readonly container: Container;
  readonly userAgent: string;
  readonly clock: Clock;
  /** Runs a command inside the container's environment; its output is the message. */
  execute(command: readonly string[], timeout: Milliseconds): Promise<Found>;
}

export async function handle(handler: Handler, host: HandlerHost, timeout: Milliseconds): Promise<Found> {
  if (handler.exec) return host.execute(handler.exec.command ?? [], timeout);
  if (handler.sleep) {
    await host.clock.sleep(seconds(Math.min(handler.sleep.seconds, timeout / 1000)));
    return { ok: true, message: '' };
  }
  if (handler.grpc) return checkHealth(host.address, handler.grpc, timeout);
  const action = handler.httpGet ?? handler.tcpSocket;
  if (action === undefined) return { ok: false, message: 'missing handler' };
  const port = portNumber(action.port, host.container);
  if (port === undefined)
    return { ok: false, message: `couldn't find port: ${action.port} in container ${host.container.name}` };
  const address = action.host || host.address;
  return handler.httpGet ? get(handler.httpGet, address, port, host, timeout) : dial(address, port, timeout);
}

function portNumber(port: Port, container: Container): number | undefined {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  return container.ports?.find(({ name }) => name === port)?.containerPort;
}

function get(action: HttpGet, address: string, port: number, host: HandlerHost, timeout: Milliseconds): Promise<Found> {
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const path = (action.path ?? '/').startsWith('/') ? (action.path ?? '/') : `/${action.path}`;
  const url = `${scheme}://${address}:${port}${path}`;
  const headers: Record<string, string> = { 'User-Agent': host.userAgent, Accept: '*/*', Connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  // Nobody checks the certificate of a probed container, as in a real kubelet.
  const options = { host: address, port, path, headers, agent: false, rejectUnauthorized: false };
  return new Promise((resolve) => {
    const failed = (message: string) => resolve({ ok: false, message: `Get "${url}": ${message}` });
    const outgoing = (scheme === 'https' ? secureRequest : plainRequest)(options, (answer) => {
      const { statusCode = 0 } = answer;
      let body = '';
      answer.setEncoding('latin1').on('data', (text: string) => {
        body += text.slice(0, probeBodyBytes - body.length);
      });
      answer.on('error', ({ message }) => failed(message));
      answer.on('end', () => {
        if (statusCode >= 200 && statusCode < 400) resolve({ ok: true, message: body });
        else resolve({ ok: false, message: `HTTP probe failed with statuscode: ${statusCode}` });
      });
    });
    const timer = host.clock.after(timeout, () => {
      failed('context deadline exceeded (Client.Timeout exceeded while awaiting headers)');
      outgoing.destroy();
    });
    outgoing.on('error', ({ message }) => failed(message));
    outgoing.on('close', () => timer.stop());
    outgoing.end();
  });
}

function dial(address: string, port: number, timeout: Milliseconds): Promise<Found> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const finish = (found: Found) => {
      socket.destroy();
      resolve(found);
    };
    socket.setTimeout(timeout, () => finish({ ok: false, message: `dial tcp ${address}:${port}: i/o timeout` }));
    socket.once('connect', () => finish({ ok: true, message: '' }));
    socket.once('error', (cause: Error) =>
      finish({ ok: false, message: `dial tcp ${address}:${port}: ${cause.message}` }),
    );
  });
}

const serving = 1;

/** grpc.health.v1.Health/Check, by hand: its messages are one field each. */
function checkHealth(
  address: string,
  { port, service = '' }: { port: number; service?: string },
  timeout: Milliseconds,
): Promise<Found> {
  return new Promise((resolve) => {
    const session = connectSession(`http://${address}:${port}`);
    const finish = (ok: boolean, message: string) => {
      session.destroy();
      resolve({ ok, message });
    };
    session.setTimeout(timeout, () =>
      finish(false, `timeout: failed to connect service "${address}:${port}" within ${timeout}ms`),
    );
    session.on('error', ({ message }) => finish(false, message));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const name = Buffer.from(service);
    const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(message.length, 1);
    const answer: Buffer[] = [];
    let status = '';
    stream.on('data', (bytes: Buffer) => answer.push(bytes));
    stream.on('trailers', (trailers) => {
      status = String(trailers['grpc-status'] ?? '');
    });
    stream.on('error', (cause: Error) => finish(false, cause.message));
    stream.on('end', () => {
      const [, , , , , tag, health] = Buffer.concat(answer);
      const healthy = tag === 0x08 && health === serving;
      finish(healthy, healthy ? '' : `service unhealthy (responded with "${health ?? 'nothing'}", status ${status})`);
    });
    stream.end(Buffer.concat([frame, message]));
  });
}
