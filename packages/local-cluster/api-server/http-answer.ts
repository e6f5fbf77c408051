// An answer as it goes out.
import type { ServerResponse } from 'node:http';

export const json = 'application/json';

export function send(response: ServerResponse, code: number, body: string | Buffer, type = json): void {
  response.writeHead(code, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-cache, private',
  });
  response.end(body);
}
