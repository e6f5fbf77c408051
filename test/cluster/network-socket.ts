// A door into the cluster's network, which nothing outside has a route to: a socket in the file system. Whoever connects
// says first, in a line of its own, where in there it wants to go; everything after that line is passed on untouched.
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface Forward {
  /** On 127.0.0.1. */
  readonly port: number;
  close(): Promise<void>;
}

/** Long enough for any address and port. */
const lineLimitBytes = 300;

/** Opens the door, until the server is closed; called inside. */
export async function serveNetwork(socketPath: string): Promise<Server> {
  await rm(socketPath, { force: true });
  const server = createServer({ allowHalfOpen: true }, (client) => {
    let said = Buffer.alloc(0);
    client.on('error', () => client.destroy());
    client.on('data', function read(chunk: Buffer) {
      said = Buffer.concat([said, chunk]);
      const end = said.indexOf('\n');
      if (end < 0) {
        if (said.length > lineLimitBytes) client.destroy();
        return;
      }
      client.off('data', read);
      client.pause();
      const [host = '', port = ''] = said.toString('latin1', 0, end).split(' ');
      const upstream = connect({ host, port: Number(port), allowHalfOpen: true });
      upstream.write(said.subarray(end + 1));
      join(client, upstream);
    });
  });
  await listening(server, () => server.listen(socketPath));
  return server;
}

/**
 * Carries connections to a port of this machine's 127.0.0.1 (0: any free one) to a place in the cluster's network; called
 * outside. Rejects with the listener's error, such as EADDRINUSE.
 */
export async function forward(socketPath: string, place: Place, port = 0): Promise<Forward> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ path: socketPath, allowHalfOpen: true });
    upstream.write(`${place.host} ${place.port}\n`);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    }
    join(client, upstream);
  });
  await listening(server, () => server.listen(port, '127.0.0.1'));
  return {
    port: (server.address() as { port: number }).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** Makes one connection of two: what ends or breaks on one side does so on the other. */
function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => {
      // One that has ended in order has been passed on by the pipe, and the other side may still be writing.
      if (!from.readableEnded) to.destroy();
    });
    from.pipe(to);
  }
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', resolve);
    listen();
  });
}
