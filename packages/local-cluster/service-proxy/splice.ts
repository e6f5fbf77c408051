// Joins one accepted connection to one endpoint of a list. The endpoint is chosen when the connection comes and never
// changes: a Service that loses the endpoint afterwards does not cut what is in flight.
import { connect, type Socket } from 'node:net';
import { connectAttempts, connectTimeout } from './limits.ts';

export interface Target {
  readonly address: string;
  readonly port: number;
}

/**
 * Connects `client` (half-open allowed, not yet read from) to the first of `targets` that accepts, and copies bytes both
 * ways with back-pressure and half-close. With no target that accepts the client is reset, as kube-proxy's REJECT does.
 */
export function splice(client: Socket, targets: readonly Target[], onEnd: () => void): void {
  client.pause();
  client.setNoDelay(true);
  client.once('close', onEnd);
  // Before it is joined, all we need of the client's errors is the close that follows them.
  client.on('error', ignoreUntilClose);
  attempt(client, targets.slice(0, connectAttempts));
}

function attempt(client: Socket, targets: readonly Target[]): void {
  const [target, ...others] = targets;
  if (client.destroyed) return;
  if (target === undefined) {
    client.resetAndDestroy();
    return;
  }
  const upstream = connect({ host: target.address, port: target.port, allowHalfOpen: true, noDelay: true });
  const settle = () => {
    upstream.setTimeout(0);
    upstream.off('timeout', next).off('error', next).off('connect', accept);
    client.off('close', next);
  };
  const next = () => {
    settle();
    upstream.on('error', ignoreUntilClose);
    upstream.destroy();
    attempt(client, others);
  };
  const accept = () => {
    settle();
    join(client, upstream);
  };
  upstream.setTimeout(connectTimeout).once('timeout', next).once('error', next).once('connect', accept);
  client.once('close', next);
}

function join(client: Socket, upstream: Socket): void {
  client.pipe(upstream);
  upstream.pipe(client);
  follow(client, upstream);
  follow(upstream, client);
}

// A side that broke takes the other one with it, as a reset, so that nobody mistakes half an answer for a whole one.
function follow(one: Socket, other: Socket): void {
  one.on('error', ignoreUntilClose);
  one.once('close', (broken) => {
    if (broken) other.resetAndDestroy();
    else if (!other.writableEnded) other.end();
  });
}

// 'close' follows every 'error' and does the work; without a listener Node would throw.
function ignoreUntilClose(): void {
  // Nothing to do yet.
}
