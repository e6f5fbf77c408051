// Node lets whoever connects say what buffers to read into, but not whoever is connected to. So the connection that a server
// accepted changes hands: a second socket takes its handle, in a way that Node uses itself and does not promise. It saves a
// tenth of what a request costs a splice, and of what a report costs the controller (docs/performance.md).
import assert from 'node:assert';
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** The connection of `accepted`, which has not been read from (`pauseOnConnect`) and is of no more use; its server does not know
 * of the new one. */
export function readInto(
  accepted: Socket,
  onread: OnReadOpts,
  { allowHalfOpen }: { readonly allowHalfOpen: boolean },
): Socket {
  const old = accepted as unknown as { _handle: object | null };
  const handle = old._handle;
  assert(handle !== null && typeof handle === 'object', 'a socket that was accepted has a handle');
  old._handle = null;
  accepted.destroy();
  return new Socket({ handle, allowHalfOpen, onread } as SocketConstructorOpts);
}
