// One HTTPS call to an admission webhook, over connections that stay open: the real server speaks HTTP/1.1 and keeps
// them too, so webhooks see here the traffic they will see there.
import { Agent, request } from 'node:https';
import { limits } from './limits.ts';

export interface WebhookAddress {
  /** As it appears in messages; for a Service its DNS name. */
  readonly url: URL;
  /** Where to connect when that is not the URL's own host: a Service's cluster IP. */
  readonly host: string | undefined;
  readonly port: number;
  readonly caBundle: string | undefined;
}

export interface WebhookCaller {
  /** The parsed answer. Rejects with an Error whose message says what went wrong on the way. */
  call(address: WebhookAddress, body: string, timeoutSeconds: number): Promise<unknown>;
  close(): void;
}

export function createWebhookCaller(): WebhookCaller {
  const agents = new Map<string, Agent>();
  const agentFor = (caBundle: string | undefined): Agent => {
    const key = caBundle ?? '';
    let agent = agents.get(key);
    if (agent === undefined) {
      // A certificate authority that was replaced leaves an agent behind; none of them matters beyond its idle sockets.
      if (agents.size >= limits.webhookSockets) closeAll(agents);
      agent = new Agent({
        keepAlive: true,
        maxSockets: limits.webhookSockets,
        ...(caBundle && { ca: Buffer.from(caBundle, 'base64') }),
      });
      agents.set(key, agent);
    }
    return agent;
  };
  return {
    call: (address, body, timeoutSeconds) => send(agentFor(address.caBundle), address, body, timeoutSeconds),
    close: () => closeAll(agents),
  };
}

function closeAll(agents: Map<string, Agent>): void {
  for (const agent of agents.values()) agent.destroy();
  agents.clear();
}

function send(
  agent: Agent,
  { url, host, port }: WebhookAddress,
  body: string,
  timeoutSeconds: number,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const target = new URL(url);
    target.searchParams.set('timeout', `${timeoutSeconds}s`);
    const fail = (why: string) =>
      reject(new Error(`failed to call webhook: Post ${JSON.stringify(target.href)}: ${why}`));
    const outgoing = request(
      {
        agent,
        method: 'POST',
        host: host ?? url.hostname,
        port,
        servername: url.hostname.replace(/^\[|\]$/g, ''),
        path: `${target.pathname}${target.search}`,
        headers: {
          host: url.host,
          'content-type': 'application/json',
          accept: 'application/json, */*',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'kube-apiserver-admission',
        },
      },
      (incoming) => {
        const parts: Buffer[] = [];
        let size = 0;
        incoming.on('data', (part: Buffer) => {
          size += part.length;
          if (size > limits.webhookAnswerBytes) outgoing.destroy(new Error('the answer is too large'));
          else parts.push(part);
        });
        incoming.on('end', () => {
          clearTimeout(timer);
          const text = Buffer.concat(parts).toString('utf8');
          if (incoming.statusCode !== 200) {
            return reject(
              new Error(`failed to call webhook: the server returned ${incoming.statusCode}: ${text.slice(0, 200)}`),
            );
          }
          try {
            resolve(JSON.parse(text));
          } catch (cause) {
            reject(new Error(`received invalid webhook response: ${(cause as Error).message}`, { cause }));
          }
        });
      },
    );
    const timer = setTimeout(() => outgoing.destroy(new Error('context deadline exceeded')), timeoutSeconds * 1000);
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      fail(error.message);
    });
    outgoing.end(body);
  });
}
