// An agent's connection after its handshake: bytes in, bytes out, under the keys of the handshake. Ten thousand of them
// are open at once, so an object of this file holds no more than it needs.
import type { Socket } from 'node:net';
import {
  contentTypes,
  cutRecords,
  type Direction,
  isFarewell,
  openRecord,
  sealFarewell,
  sealRecords,
} from './record-layer.ts';

export interface SecureLine {
  write(text: string): void;
  /** Writes a last text, takes leave and closes. */
  end(text: string): void;
  /** Cuts the connection. */
  cut(): void;
  /** Bytes written that the other side has not taken. */
  unread(): number;
}

export interface LineEvents {
  text(chunk: Buffer): void;
  /** The other side took leave. It reads what is written until the line is ended. */
  ended(): void;
  /** Called once, however the connection ended. */
  closed(): void;
}

/** Takes over a socket that nobody else listens to. `listener` is given the line and says who hears of it. */
export function openSecureLine(
  socket: Socket,
  inward: Direction,
  outward: Direction,
  listener: (line: SecureLine) => LineEvents,
): void {
  let rest: Buffer | undefined;
  let ended = false;

  const line: SecureLine = {
    write: (text) => void socket.write(sealRecords(outward, contentTypes.applicationData, Buffer.from(text))),
    end(text) {
      if (ended) return;
      ended = true;
      const last = sealRecords(outward, contentTypes.applicationData, Buffer.from(text));
      socket.end(Buffer.concat([last, sealFarewell(outward)]));
    },
    cut() {
      ended = true;
      socket.destroy();
    },
    unread: () => socket.writableLength,
  };
  const events = listener(line);

  const take = (record: Buffer): void => {
    if (ended) return;
    const opened = openRecord(inward, record);
    if (opened === undefined) line.cut();
    else if (opened.type === contentTypes.applicationData) events.text(opened.content);
    else if (isFarewell(opened)) events.ended();
    // Nothing else is said between an agent and us.
    else line.cut();
  };
  socket.on('data', (chunk: Buffer) => {
    const left = cutRecords(rest === undefined ? chunk : Buffer.concat([rest, chunk]), take);
    if (left === undefined) return line.cut();
    // A copy: a few bytes would keep all that was read with them.
    rest = left.length === 0 ? undefined : copyOf(left);
  });
  // Whatever breaks a connection closes it.
  socket.on('error', () => undefined);
  socket.on('close', events.closed);
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
