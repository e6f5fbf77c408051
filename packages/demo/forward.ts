// Brings a Service of the local cluster to 127.0.0.1, where a browser expects it, as `kubectl port-forward` would.
import { connect, createServer, type Socket } from 'node:net';

export interface Forward {
  readonly url: string;
  close(): void;
}

/** Listens on 127.0.0.1:`port`. Rejects with the listener's error, such as EADDRINUSE. */
export async function forward(port: number, to: { readonly host: string; readonly port: number }): Promise<Forward> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(to.port, to.host);
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => peer.destroy());
      socket.on('close', () => {
        open.delete(socket);
        peer.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${port}/`,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
