// What one would write in Node instead: `http-proxy-3`, an http server with http.request, and, as the floor of what Node
// can do, a bare splice that looks at nothing.
import { Agent, createServer, request as forward } from 'node:http';
import { connect, createServer as createSocketServer } from 'node:net';
import { createProxyServer } from 'http-proxy-3';

const [kind, listen, upstream] = process.argv.slice(2) as [string, string, string];
const agent = new Agent({ keepAlive: true, maxSockets: 1_024 });

if (kind === 'http-proxy-3') {
  const proxy = createProxyServer({ target: `http://127.0.0.1:${upstream}`, agent });
  proxy.on('error', () => undefined);
  createServer((request, response) => proxy.web(request, response)).listen(Number(listen), '127.0.0.1');
} else if (kind === 'splice') {
  createSocketServer({ noDelay: true }, (client) => {
    const onward = connect({ host: '127.0.0.1', port: Number(upstream), noDelay: true });
    client.on('data', (chunk) => void (onward.write(chunk) || client.pause()));
    onward.on('data', (chunk) => void (client.write(chunk) || onward.pause()));
    client.on('drain', () => onward.resume());
    onward.on('drain', () => client.resume());
    client.on('close', () => onward.destroy()).on('error', () => undefined);
    onward.on('close', () => client.destroy()).on('error', () => undefined);
  }).listen(Number(listen), '127.0.0.1');
} else {
  createServer((request, response) => {
    const { method, url: path, headers } = request;
    const onward = forward({ host: '127.0.0.1', port: Number(upstream), method, path, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    // Who leaves amid an answer takes no connection to the server along.
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }).listen(Number(listen), '127.0.0.1');
}
