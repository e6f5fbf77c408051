// A model server of few words, and what it and its client say to one another.
import type { Socket } from 'node:net';

/** A server that answers each request head it gets, in order, by what `answer` says. */
export const answering =
  (answer: (request: string, socket: Socket) => void) =>
  (socket: Socket): void => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        answer(text.slice(0, end), socket);
        text = text.slice(end + 4);
      }
    });
    socket.on('end', () => socket.end());
  };

export const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
export const get = 'GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n';
export const streamHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
/** An event of such a stream, with a token in it. */
export const event = (text: string): string => {
  const data = `data: {"choices":[{"delta":{"content":"${text}"}}]}\n\n`;
  return `${data.length.toString(16)}\r\n${data}\r\n`;
};
