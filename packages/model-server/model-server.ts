// The HTTP face of the engine: the part of the OpenAI API that inference engines share, probes, /metrics, and
// /admin/fault to break it. Bare node:http, because a stream costs one write a token and nothing else. Until the model
// is loaded everything but /admin answers 503, where a real engine would not yet listen.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock } from '@kubeai/daemon';
import { type FieldProblem, type Milliseconds, milliseconds, type Result } from '@kubeai/units';
import { type Answer, answerOf } from './answer.ts';
import { type CompletionRequest, type Dialect, parseCompletion } from './completion-request.ts';
import { createEngine, type EngineConfig } from './engine.ts';
import { type EngineLoop, type Refusal, runEngine } from './engine-loop.ts';
import { createChance, type Faults, healthy, parseFaultOrder } from './faults.ts';
import { maxBodyBytes, maxUnreadBytes } from './limits.ts';
import { createMetrics } from './metrics.ts';

export interface ModelServerConfig {
  readonly model: string;
  /** Prompt and answer together, in tokens. */
  readonly maxModelLength: number;
  /** How long the model takes to load, at speed 1. */
  readonly startup: Milliseconds;
  readonly seed: number;
  readonly engine: EngineConfig;
}

export interface ModelServer {
  readonly handle: RequestListener;
  readonly engine: EngineLoop;
}

/** `crash` must end the process at once, as a dying engine does; loading begins with this call. */
export function createModelServer(config: ModelServerConfig, clock: Clock, crash: () => void): ModelServer {
  const { model } = config;
  const engine = runEngine(createEngine(config.engine), clock, (step) => metrics.step(step));
  const metrics = createMetrics({ model, ...config.engine }, () => engine.state());
  const chance = createChance(config.seed);
  const unixSeconds = () => Math.floor(clock.now() / 1_000);
  const created = unixSeconds();
  let answers = 0;
  let faults = healthy;
  let loaded = config.startup === 0;
  if (!loaded) {
    clock.after(milliseconds(config.startup / config.engine.speed), () => {
      loaded = true;
    });
  }

  async function complete(request: IncomingMessage, response: ServerResponse, dialect: Dialect): Promise<void> {
    const body = await readJson(request);
    if (response.destroyed) return;
    const parsed = body.ok ? parseCompletion(body.value, dialect, config) : body;
    if (!parsed.ok) return refuse(response, 400, 'BadRequestError', sentence(parsed.problems));
    if (chance() < faults.errorRate)
      return refuse(response, 500, 'InternalServerError', 'made to fail by /admin/fault');
    const reset = chance() < faults.resetRate;
    answers += 1;
    const id = `${dialect === 'chat' ? 'chatcmpl' : 'cmpl'}-${answers.toString(16).padStart(8, '0')}`;
    send(response, parsed.value, answerOf(parsed.value, { id, model, created: unixSeconds() }), reset);
  }

  function send(response: ServerResponse, request: CompletionRequest, answer: Answer, reset: boolean): void {
    const resetAt = reset ? Math.ceil(request.maxTokens / 2) : Number.POSITIVE_INFINITY;
    let sent = 0;
    const submitted = engine.submit(request, (tokens, finished) => {
      const first = sent;
      sent += tokens;
      if (sent >= resetAt || response.writableLength > maxUnreadBytes) response.socket?.resetAndDestroy();
      else if (!request.stream) finished && json(response, 200, answer.json());
      else if (finished) response.end(answer.events(first, tokens));
      else response.write(answer.events(first, tokens));
    });
    if (!submitted.ok) {
      refuse(response, ...refusals[submitted.problems[0]!]);
      return;
    }
    response.once('close', () => {
      if (response.writableEnded) return;
      engine.cancel(submitted.value);
      metrics.aborted();
    });
    // As vLLM does: a stream's head goes out at once, its first event only with the first token.
    if (request.stream) {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
      response.flushHeaders();
    }
  }

  async function changeFaults(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request);
    const order = body.ok ? parseFaultOrder(body.value, faults) : body;
    if (!order.ok) return refuse(response, 400, 'BadRequestError', sentence(order.problems));
    if (order.value.crash) return crash();
    applyFaults(order.value.faults, response);
  }

  function applyFaults(wanted: Faults, response: ServerResponse): void {
    faults = wanted;
    engine.slowDown(faults.slow);
    engine.hang(faults.hang);
    json(response, 200, JSON.stringify(faults));
  }

  const modelCard = { id: model, object: 'model', created, owned_by: 'kubeai', max_model_len: config.maxModelLength };

  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
    'POST /v1/chat/completions': (request, response) => complete(request, response, 'chat'),
    'POST /v1/completions': (request, response) => complete(request, response, 'text'),
    'GET /v1/models': (_, response) => json(response, 200, JSON.stringify({ object: 'list', data: [modelCard] })),
    'GET /health': (_, response) => response.end(),
    'GET /ping': (_, response) => response.end(),
    'GET /metrics': async (_, response) => {
      const page = await metrics.render();
      response.writeHead(200, { 'content-type': metrics.contentType }).end(page);
    },
  };
  const adminRoutes: typeof routes = {
    'GET /admin/fault': (_, response) => json(response, 200, JSON.stringify(faults)),
    'POST /admin/fault': changeFaults,
    'DELETE /admin/fault': (_, response) => applyFaults(healthy, response),
  };

  return {
    engine,
    handle(request, response) {
      const path = `${request.method} ${request.url!.split('?')[0]}`;
      const admin = adminRoutes[path];
      if (admin !== undefined) return void admin(request, response);
      if (!loaded) return refuse(response, 503, 'ServiceUnavailable', `${model} is still loading`);
      const route = routes[path];
      if (route === undefined) return refuse(response, 404, 'NotFoundError', `there is no ${path} here`);
      void route(request, response);
    },
  };
}

/** The body as JSON, or what is wrong with it. A body over the limit is read no further. */
function readJson(request: IncomingMessage): Promise<Result<unknown, FieldProblem>> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const wrong = (message: string) => resolve({ ok: false, problems: [{ field: 'body', message }] });
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBodyBytes) chunks.push(chunk);
      else wrong(`must not be longer than ${maxBodyBytes} bytes`);
    });
    request.once('error', () => wrong('ended early'));
    request.once('end', () => {
      if (length > maxBodyBytes) return;
      try {
        resolve({ ok: true, value: JSON.parse(Buffer.concat(chunks).toString('utf8')) });
      } catch {
        wrong('must be JSON');
      }
    });
  });
}

const refusals: Record<Refusal, readonly [status: number, type: string, message: string]> = {
  queueFull: [429, 'Overloaded', 'the queue is full: try again later, or elsewhere'],
  tooLong: [400, 'BadRequestError', 'the request does not fit the KV memory of this server'],
};

const sentence = (problems: readonly FieldProblem[]): string =>
  problems.map(({ field, message }) => `${field} ${message}`).join('; ');

function json(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** An error in the form of OpenAI's. The connection of an unread body is closed with it. */
function refuse(response: ServerResponse, status: number, type: string, message: string): void {
  if (!response.req.complete) response.setHeader('connection', 'close');
  json(response, status, JSON.stringify({ error: { message, type, param: null, code: status } }));
}
