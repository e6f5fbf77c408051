// The independent judge of the observer's counts: llhttp, the parser inside Node's own http module.
import { createRequire } from 'node:module';

interface Parser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | Error;
  finish(): unknown;
  [event: number]: unknown;
}
interface ParserClass {
  new (): Parser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeadersComplete: number;
  readonly kOnMessageComplete: number;
  readonly kOnBody: number;
}

// Not a public module, but the only way to llhttp itself; used in tests alone.
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: ParserClass };

export interface Verdict {
  /** llhttp's code; undefined when every byte was understood. */
  readonly error: string | undefined;
  readonly requests: number;
  /** Final answers that came to their end, by status. */
  readonly answers: readonly number[];
  readonly upgraded: boolean;
}

/** What llhttp finds in a connection: `ended` says whether the server closed its side. */
export function judge(requestBytes: Buffer, responseBytes: Buffer, ended: boolean): Verdict {
  let error: string | undefined;
  let upgraded = false;
  const methods: number[] = [];
  const run = (parser: Parser, bytes: Buffer) => {
    const result = parser.execute(bytes);
    if (typeof result !== 'number') error ??= (result as Error & { readonly code: string }).code;
  };

  const requests = new HTTPParser();
  requests.initialize(HTTPParser.REQUEST, {});
  let requestCount = 0;
  requests[HTTPParser.kOnHeadersComplete] = (_major: number, _minor: number, _headers: unknown, method: number) => {
    requestCount += 1;
    methods.push(method);
    return 0;
  };
  run(requests, requestBytes);

  const responses = new HTTPParser();
  responses.initialize(HTTPParser.RESPONSE, {});
  const answers: number[] = [];
  let status = 0;
  responses[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    _minor: number,
    _headers: unknown,
    _method: unknown,
    _url: unknown,
    code: number,
    _text: unknown,
    upgrade: boolean,
  ) => {
    status = code;
    if (code === 101 || upgrade) upgraded = true;
    if (code < 200) return code === 101 ? 2 : 0;
    const method = methods[answers.length];
    return method === head ? 1 : 0;
  };
  responses[HTTPParser.kOnMessageComplete] = () => {
    if (status >= 200) answers.push(status);
  };
  run(responses, responseBytes);
  if (ended && error === undefined) {
    const result = responses.finish() as (Error & { readonly code: string }) | undefined;
    if (result !== undefined) error = result.code;
  }
  return { error, requests: requestCount, answers, upgraded };
}

/** llhttp's number of HEAD. */
const head = 2;
