// /healthz (also /livez) says that the process works, /readyz that it should be sent work. A check is a question with a
// sentence for an answer when the answer is no, so that whoever reads the probe's event knows what to wait for.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** `undefined` when all is well, else what is wrong. */
export type HealthCheck = () => string | undefined;

export interface Health {
  /** Answers /healthz, /livez and /readyz and returns true; leaves any other path to the caller and returns false. */
  answer(request: IncomingMessage, response: ServerResponse): boolean;
  /** From now on not ready: the first step of a shutdown, so that nothing new is sent here. */
  retire(): void;
}

export function createHealth(checks: {
  readonly live?: Readonly<Record<string, HealthCheck>>;
  readonly ready?: Readonly<Record<string, HealthCheck>>;
}): Health {
  let retired = false;
  const wrong = (named: Readonly<Record<string, HealthCheck>> | undefined): string[] =>
    Object.entries(named ?? {}).flatMap(([name, check]) => {
      const problem = check();
      return problem === undefined ? [] : [`${name}: ${problem}`];
    });
  return {
    answer(request, response) {
      const path = request.url?.split('?')[0];
      if (path !== '/healthz' && path !== '/livez' && path !== '/readyz') return false;
      const problems =
        path === '/readyz'
          ? [...(retired ? ['shutdown: the process is ending'] : []), ...wrong(checks.ready)]
          : wrong(checks.live);
      response.writeHead(problems.length === 0 ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(problems.length === 0 ? 'ok\n' : `${problems.join('\n')}\n`);
      return true;
    },
    retire() {
      retired = true;
    },
  };
}
