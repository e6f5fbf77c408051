// HTTP around the pure answers. Bare node:https without a framework: this stands in the way of every pod creation, and
// test/bench/webhook.ts measures what that saves. Bodies are bounded, slow senders are cut, and an error of ours is an
// answer that lets the object through.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock, Log } from '@kubeai/daemon';
import { type AdmissionResponse, allowed, parseReview, type Review, reviewOf } from './admission-review.ts';
import { bodyDeadline, maxBodyBytes } from './limits.ts';

export type Answer = (review: Review) => AdmissionResponse | Promise<AdmissionResponse>;

export interface HandlerObserver {
  /** One request answered. */
  answered(path: string, code: number, seconds: number): void;
}

/** Answers `POST` on the given paths. */
export function createWebhookHandler(
  answers: Readonly<Record<string, Answer>>,
  { metrics, clock, log }: { readonly metrics: HandlerObserver; readonly clock: Clock; readonly log: Log },
): RequestListener {
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]!;
    const answer = Object.hasOwn(answers, path) ? answers[path] : undefined;
    const began = clock.monotonic();
    const done = (code: number, body: string) => {
      metrics.answered(answer === undefined ? 'unknown' : path, code, (clock.monotonic() - began) / 1_000);
      send(response, code, body);
    };
    if (answer === undefined) return refuse(request, done, 404, `no webhook at ${path}`);
    if (request.method !== 'POST') return refuse(request, done, 405, 'send an AdmissionReview by POST');
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
      return refuse(request, done, 413, `a review has at most ${maxBodyBytes} bytes`);
    }
    readBody(request, clock, (body) => {
      if (body === 'tooLong') return refuse(request, done, 413, `a review has at most ${maxBodyBytes} bytes`);
      if (body === 'tooSlow') return refuse(request, done, 408, 'the body did not arrive in time');
      const parsed = parseReview(body);
      if (!parsed.ok) return done(400, parsed.problems.join('; '));
      void answered(answer, parsed.value, log).then((verdict) => done(200, JSON.stringify(reviewOf(verdict))));
    });
  };
}

/** The answer, or a yes with a warning when there is a bug in it: a lost agent is a smaller harm than a lost pod. */
async function answered(answer: Answer, review: Review, log: Log): Promise<AdmissionResponse> {
  try {
    return await answer(review);
  } catch (cause) {
    const { uid, kind, namespace, name } = review;
    log.error('Admission failed open', { uid, kind, object: { namespace, name }, cause });
    return allowed(uid, ['not looked at by the KubeAI webhook because of an internal error; see its log']);
  }
}

type Body = Buffer | 'tooLong' | 'tooSlow';

/** Calls back once, or never when the client leaves first. */
function readBody(request: IncomingMessage, clock: Clock, finished: (body: Body) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const finish = (body: Body) => {
    deadline.stop();
    request.removeAllListeners('data').removeAllListeners('end');
    finished(body);
  };
  const deadline = clock.after(bodyDeadline, () => finish('tooSlow'));
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > maxBodyBytes) return finish('tooLong');
    chunks.push(chunk);
  });
  request.on('end', () => finish(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
  request.on('close', () => deadline.stop());
}

/** Answers without having read the body, and closes the connection: what is still to come is nobody's next request. */
function refuse(
  request: IncomingMessage,
  done: (code: number, body: string) => void,
  code: number,
  problem: string,
): void {
  if (!request.complete) request.pause();
  done(code, problem);
}

function send(response: ServerResponse, code: number, body: string): void {
  const json = code === 200;
  response.writeHead(code, {
    'content-type': json ? 'application/json' : 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...(json || response.req.complete ? {} : { connection: 'close' }),
  });
  response.end(body);
}
