// Fetches one page from a neighbour (the model server's /metrics, dcgm-exporter), bounded in time and in bytes.
import { type Agent, get } from 'node:http';
import type { Milliseconds } from '@kubeai/units';

export type Page =
  | { readonly kind: 'page'; readonly text: string }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly message: string };

export interface PageOptions {
  readonly agent: Agent;
  readonly timeout: Milliseconds;
  readonly maxBytes: number;
}

/** GETs a page. Never rejects: what went wrong is a kind of answer. */
export function fetchPage(url: URL, { agent, timeout, maxBytes }: PageOptions): Promise<Page> {
  return new Promise((resolve) => {
    const headers = { accept: 'text/plain;version=0.0.4', 'user-agent': 'kubeai-agent' };
    const request = get(url, { agent, headers, timeout, signal: AbortSignal.timeout(timeout) }, (response) => {
      if (response.statusCode !== 200) {
        response.resume();
        resolve({ kind: 'status', status: response.statusCode ?? 0 });
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= maxBytes) chunks.push(chunk);
        else response.destroy(new Error(`longer than ${maxBytes} bytes`));
      });
      response.on('end', () => resolve({ kind: 'page', text: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', (cause) => resolve({ kind: 'unreachable', message: cause.message }));
    });
    request.on('error', (cause) => resolve({ kind: 'unreachable', message: cause.message }));
  });
}
