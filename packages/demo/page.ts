// Brings the controller's dashboard to 127.0.0.1, where a browser expects it, as `kubectl port-forward` would. The port
// is taken before anything else is started, so that a port in use is known at once; the way on is told later.
import { connect, createServer, type Socket } from 'node:net';

export interface Page {
  readonly url: string;
  /** From now on connections lead there; before, they are closed at once. */
  leadTo(host: string, port: number): void;
  close(): void;
}

/** Rejects with the listener's error, such as EADDRINUSE. */
export async function openPage(port: number): Promise<Page> {
  const open = new Set<Socket>();
  let target: { readonly host: string; readonly port: number } | undefined;
  const server = createServer((client) => {
    if (target === undefined) return client.destroy();
    const upstream = connect(target);
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
    return client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${port}/`,
    leadTo(host, to) {
      target = { host, port: to };
    },
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
