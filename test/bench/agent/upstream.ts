// The model server of the benchmark: raw sockets and ready-made bytes, so that as little as possible of what is measured
// is its own. GET answers 1 kB, /sse streams 200 events each in a segment of its own, /sse/unpaced as fast as they can be
// written, POST answers when its body is in.
import { createServer, type Socket } from 'node:net';

const body = JSON.stringify({ text: 'x'.repeat(1_000), usage: { prompt_tokens: 10, completion_tokens: 20 } });
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\ndate: Tue, 24 Nov 2026 10:00:00 GMT\r\nserver: bench\r\n\r\n${body}`,
);
const streamHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\ncache-control: no-cache\r\n\r\n';
const data =
  'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795000000,"model":"m","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}\n\n';
const event = Buffer.from(`${data.length.toString(16)}\r\n${data}\r\n`);
const streamEnd = Buffer.from('e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n');
const headEnd = Buffer.from('\r\n\r\n');

export const eventsPerStream = 200;
const millisecondsApart = 2;

/**
 * Some time apart, as when a GPU makes them, each event is a turn of its own for whoever passes it on. As fast as they can be
 * written they pile up before the slower proxies, which then read several at once.
 */
function stream(socket: Socket, paced: boolean): void {
  socket.write(streamHead);
  let sent = 0;
  const next = (): void => {
    if (socket.destroyed) return;
    sent += 1;
    if (sent <= eventsPerStream) {
      socket.write(event);
      if (paced) setTimeout(next, millisecondsApart);
      else setImmediate(next);
    } else socket.write(streamEnd);
  };
  next();
}

createServer({ noDelay: true }, (socket) => {
  let awaited = 0;
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (awaited > 0) {
        const taken = Math.min(awaited, chunk.length - at);
        awaited -= taken;
        at += taken;
        if (awaited === 0) socket.write(answer);
        continue;
      }
      const end = chunk.indexOf(headEnd, at);
      // Heads of the benchmark are short and arrive whole.
      if (end === -1) return;
      const head = chunk.toString('latin1', at, end);
      at = end + 4;
      if (head.startsWith('GET /sse')) stream(socket, !head.startsWith('GET /sse/unpaced'));
      else if (head.startsWith('POST')) {
        awaited = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (awaited === 0) socket.write(answer);
      } else socket.write(answer);
    }
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
