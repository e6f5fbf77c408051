// What the webhook says of itself to Prometheus. The two names of controller-runtime are kept, so that dashboards made
// for any webhook work for this one.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PodVerdict } from './mutate-pods.ts';
import type { HandlerObserver } from './webhook-handler.ts';

export interface WebhookMetrics extends HandlerObserver {
  admitted(outcome: PodVerdict['outcome']): void;
  /** Seconds since the epoch at which the serving certificate ends. */
  certificateEnds(at: number): void;
  /** Answers /metrics and returns true; leaves any other path to the caller and returns false. */
  answer(request: IncomingMessage, response: ServerResponse): boolean;
}

export function createWebhookMetrics(): WebhookMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Counter({
    name: 'controller_runtime_webhook_requests_total',
    help: 'Admission requests by path and HTTP status.',
    labelNames: ['webhook', 'code'],
    registers,
  });
  const latency = new Histogram({
    name: 'controller_runtime_webhook_latency_seconds',
    help: 'Time from the head of a request to its answer.',
    labelNames: ['webhook'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 3],
    registers,
  });
  const pods = new Counter({
    name: 'kubeai_webhook_pods_total',
    help: 'Pods looked at, by outcome: the reach of those with an agent, the reason of those without.',
    labelNames: ['outcome', 'reason'],
    registers,
  });
  const certificate = new Gauge({
    name: 'kubeai_webhook_certificate_expiry_timestamp_seconds',
    help: 'When the serving certificate ends.',
    registers,
  });
  return {
    answered(path, code, seconds) {
      requests.labels(path, String(code)).inc();
      latency.labels(path).observe(seconds);
    },
    admitted(outcome) {
      pods.labels(outcome.kind, outcome.kind === 'injected' ? outcome.reach : outcome.reason).inc();
    },
    certificateEnds: (at) => certificate.set(at),
    answer(request, response) {
      if (request.url?.split('?')[0] !== '/metrics') return false;
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
      return true;
    },
  };
}
