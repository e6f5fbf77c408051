// The server over real sockets, its engine a hundred times faster than the cards.
import { existsSync, readFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { createClock, createManualClock, type Listener, serveHttp } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import { eventually } from '../daemon/testing/eventually.ts';
import { createModelServer, type ModelServer, type ModelServerConfig } from './model-server.ts';

const config: ModelServerConfig = {
  model: 'm',
  maxModelLength: 2_000,
  startup: seconds(0),
  seed: 7,
  engine: {
    times: { prefillMs: (tokens) => 100 + tokens, decodeMs: () => 100 },
    maxBatch: 2,
    maxQueue: 1,
    maxBatchedTokens: 2_000,
    kvBlocks: 100,
    blockTokens: 16,
    speed: 100,
  },
};

const opened: Listener[] = [];
let crashes = 0;

interface Running extends ModelServer {
  readonly url: string;
}

async function start(changes: Partial<ModelServerConfig> = {}, clock = createClock()): Promise<Running> {
  crashes = 0;
  const server = createModelServer({ ...config, ...changes }, clock, () => {
    crashes += 1;
  });
  const listener = await serveHttp(server.handle, { host: '127.0.0.1', port: 0 });
  opened.push(listener);
  return { ...server, url: listener.url };
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((listener) => listener.drain(seconds(0))));
});

const post = (url: string, body: unknown, method = 'POST') =>
  fetch(url, { method, body: typeof body === 'string' ? body : JSON.stringify(body) });

const chat = (more: object = {}) => ({ messages: [{ role: 'user', content: 'x'.repeat(40) }], max_tokens: 5, ...more });

/** The data of every event of a stream. */
function eventsOf(text: string): string[] {
  expect(text.endsWith('\n\n')).toBe(true);
  return text
    .slice(0, -2)
    .split('\n\n')
    .map((event) => event.replace(/^data: /, ''));
}

/** Opens a stream and leaves it open. */
function openStream(url: string, body: object): ClientRequest {
  const request = httpRequest(`${url}/v1/chat/completions`, { method: 'POST', agent: false });
  request.on('error', () => undefined);
  request.on('response', (response) => response.on('error', () => undefined).resume());
  request.end(JSON.stringify(body));
  return request;
}

const streamed = chat({ stream: true });

test('a chat stream is a role, one event a token, usage and the end', async () => {
  const { url } = await start();
  const response = await post(
    `${url}/v1/chat/completions`,
    chat({ stream: true, stream_options: { include_usage: true } }),
  );
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const events = eventsOf(await response.text());
  expect(events.at(-1)).toBe('[DONE]');
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event));
  expect(chunks).toHaveLength(7);
  expect(chunks[0].choices[0].delta).toEqual({ role: 'assistant', content: '' });
  expect(chunks.slice(1, 6).every((chunk) => chunk.choices[0].delta.content.length > 1)).toBe(true);
  expect(chunks.slice(1, 6).map((chunk) => chunk.choices[0].finish_reason)).toEqual([null, null, null, null, 'length']);
  expect(chunks[6]).toMatchObject({
    object: 'chat.completion.chunk',
    choices: [],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  });
  expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
});

test('a text stream without usage is one event a token and the end', async () => {
  const { url } = await start();
  const response = await post(`${url}/v1/completions`, { prompt: 'hello', max_tokens: 2, stream: true });
  const events = eventsOf(await response.text());
  expect(events).toHaveLength(3);
  expect(JSON.parse(events[0]!)).toMatchObject({ object: 'text_completion', choices: [{ index: 0, text: ' the' }] });
});

test.each<[string, object, object]>([
  ['chat/completions', chat(), { prompt_tokens: 10, completion_tokens: 5 }],
  ['chat/completions', chat({ max_completion_tokens: 2 }), { prompt_tokens: 10, completion_tokens: 2 }],
  [
    'chat/completions',
    chat({ messages: [{ role: 'user', content: [{ type: 'text', text: 'x'.repeat(9) }] }, { content: null }] }),
    { prompt_tokens: 3, completion_tokens: 5 },
  ],
  ['completions', { prompt: 'x'.repeat(41), max_tokens: 3 }, { prompt_tokens: 11, completion_tokens: 3 }],
  ['completions', { prompt: [5, 6, 7], model: 'm', n: 1 }, { prompt_tokens: 3, completion_tokens: 16 }],
])('an answer of %s in one piece says what it used', async (path, body, usage) => {
  const { url } = await start();
  const response = await post(`${url}/v1/${path}`, body);
  const answer = (await response.json()) as { usage: object; choices: { finish_reason: string }[] };
  expect(response.status).toBe(200);
  expect(answer.usage).toMatchObject(usage);
  expect(answer.choices[0]!.finish_reason).toBe('length');
});

test.each<[string, string | object, string]>([
  ['chat/completions', '{', 'body must be JSON'],
  ['chat/completions', '[]', 'body must be a JSON object'],
  ['chat/completions', chat({ model: 'gpt-5' }), 'model must be "m", the one model served here'],
  ['chat/completions', chat({ messages: [] }), 'messages must be a list of at least one message'],
  ['chat/completions', chat({ messages: ['hi'] }), 'messages[0].content must be text or a list of parts'],
  ['chat/completions', chat({ max_tokens: 0 }), 'max_tokens must be a whole number of at least 1'],
  [
    'chat/completions',
    chat({ n: 2, stream: 'yes' }),
    'n must be 1: one answer a request; stream must be true or false',
  ],
  ['chat/completions', chat({ max_tokens: 1_991 }), 'exceed the context of 2000 tokens'],
  ['chat/completions', chat({ max_tokens: 1_900 }), 'does not fit the KV memory'],
  ['completions', { prompt: ['a', 'b'] }, 'prompt must be a string or a list of token ids'],
  ['completions', 'x'.repeat(1_100_000), 'body must not be longer than 1048576 bytes'],
])('a bad request to %s is answered 400 and says why', async (path, body, message) => {
  const { url } = await start();
  const response = await post(`${url}/v1/${path}`, body);
  expect(response.status).toBe(400);
  expect(((await response.json()) as { error: { message: string } }).error.message).toContain(message);
});

test('one request more than batch and queue hold is answered 429', async () => {
  const { url, engine } = await start();
  engine.hang(true); // so that nothing ends by itself
  const streams = [1, 2, 3].map(() => openStream(url, streamed));
  await eventually(() => engine.state().running + engine.state().waiting === 3);
  expect((await post(`${url}/v1/chat/completions`, chat())).status).toBe(429);
  for (const stream of streams) stream.destroy();
});

test('a client that goes away leaves the batch, whether it ran or waited', async () => {
  const { url, engine } = await start();
  engine.hang(true); // so that nothing ends by itself
  const streams = [1, 2, 3].map(() => openStream(url, streamed));
  await eventually(() => engine.state().running + engine.state().waiting === 3);
  for (const stream of streams) stream.destroy();
  await eventually(() => engine.state().running === 0 && engine.state().waiting === 0);
  expect(engine.state().kvUsage).toBe(0);
  const page = await (await fetch(`${url}/metrics`)).text();
  expect(page).toContain('vllm:request_success_total{finished_reason="abort",engine="0",model_name="m"} 3');
});

test('until the model is loaded everything but the admin endpoint answers 503', async () => {
  const clock = createManualClock();
  const { url } = await start({ startup: seconds(30) }, clock);
  const statuses = () =>
    Promise.all(
      ['/health', '/ping', '/metrics', '/v1/models', '/admin/fault'].map(
        async (path) => (await fetch(url + path)).status,
      ),
    );
  expect(await statuses()).toEqual([503, 503, 503, 503, 200]);
  await clock.advance(seconds(0.3)); // a hundred times faster
  expect(await statuses()).toEqual([200, 200, 200, 200, 200]);
});

test('the list of models names the one, an unknown path is 404', async () => {
  const { url } = await start();
  expect(await (await fetch(`${url}/v1/models`)).json()).toMatchObject({ data: [{ id: 'm', max_model_len: 2_000 }] });
  expect((await fetch(`${url}/v1/embeddings`)).status).toBe(404);
});

test('faults are set, read and taken back', async () => {
  const { url } = await start();
  const fault = async (body: unknown, method = 'POST') => {
    const response = await post(`${url}/admin/fault`, body, method);
    return [response.status, await response.json()];
  };
  expect(await fault({ slow: 3 })).toEqual([200, { slow: 3, hang: false, errorRate: 0, resetRate: 0 }]);
  expect(await fault({ errorRate: 0.5 })).toEqual([200, { slow: 3, hang: false, errorRate: 0.5, resetRate: 0 }]);
  expect(await fault({ errorRate: 2, freeze: true, slow: 0 })).toMatchObject([
    400,
    {
      error: {
        message:
          'errorRate must be a share between 0 and 1; freeze is no fault; known are slow, hang, errorRate, resetRate, ' +
          'crash; slow must be a factor above 0, at most 1000',
      },
    },
  ]);
  expect(await (await fetch(`${url}/admin/fault`)).json()).toMatchObject({ slow: 3, errorRate: 0.5 });
  expect(await fault(undefined, 'DELETE')).toEqual([200, { slow: 1, hang: false, errorRate: 0, resetRate: 0 }]);
});

test('an error rate hits the same requests again with the same seed', async () => {
  const statuses = async () => {
    const { url } = await start();
    await post(`${url}/admin/fault`, { errorRate: 0.5 });
    const found: number[] = [];
    for (let index = 0; index < 12; index += 1) {
      found.push((await post(`${url}/v1/chat/completions`, chat({ max_tokens: 1 }))).status);
    }
    return found;
  };
  const first = await statuses();
  expect(new Set(first)).toEqual(new Set([200, 500]));
  expect(await statuses()).toEqual(first);
});

test('a reset cuts the answer in the middle', async () => {
  const { url, engine } = await start();
  await post(`${url}/admin/fault`, { resetRate: 1 });
  const response = await post(`${url}/v1/chat/completions`, chat({ stream: true, max_tokens: 10 }));
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  await eventually(() => engine.state().running === 0);
});

test('a hung engine keeps its health and answers once it is freed', async () => {
  const { url, engine } = await start();
  await post(`${url}/admin/fault`, { hang: true });
  const answer = post(`${url}/v1/chat/completions`, chat());
  await eventually(() => engine.state().running === 1);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect(engine.state().running).toBe(1);
  await post(`${url}/admin/fault`, { hang: false });
  expect((await answer).status).toBe(200);
});

test('a crash is left to the process', async () => {
  const { url } = await start();
  void post(`${url}/admin/fault`, { crash: true }).catch(() => undefined);
  await eventually(() => crashes === 1);
});

test('the metrics add up to what was asked', async () => {
  const { url } = await start();
  for (let index = 0; index < 3; index += 1) await post(`${url}/v1/chat/completions`, chat());
  const page = await (await fetch(`${url}/metrics`)).text();
  const value = (name: string) => Number(new RegExp(`^vllm:${name}\\{[^}]*\\} (.+)$`, 'm').exec(page)?.[1]);
  expect({
    prompt: value('prompt_tokens_total'),
    generated: value('generation_tokens_total'),
    firstTokens: value('time_to_first_token_seconds_count'),
    gaps: value('inter_token_latency_seconds_count'),
    requests: value('e2e_request_latency_seconds_count'),
    running: value('num_requests_running'),
    kv: value('kv_cache_usage_perc'),
  }).toEqual({ prompt: 30, generated: 15, firstTokens: 3, gaps: 12, requests: 3, running: 0, kv: 0 });
  // Alone, each reads 10 tokens in (100 + 10) ms ÷ 100, by the engine's own time.
  expect(value('time_to_first_token_seconds_sum')).toBeCloseTo(0.0033, 8);
});

const realPage = new URL('../../../shared/fixtures/engines/vllm-v1-qwen2.5-0.5b-l4-2026-03.prom', import.meta.url);

(existsSync(realPage) ? test : test.skip)('every metric has the type, labels and buckets that vLLM has', async () => {
  const { url } = await start();
  const ours = familiesOf(await (await fetch(`${url}/metrics`)).text());
  const theirs = familiesOf(readFileSync(realPage, 'utf8'));
  expect(ours.size).toBeGreaterThan(15);
  for (const [name, family] of ours) {
    const real = theirs.get(name)!;
    expect([name, family.type, family.help, family.edges]).toEqual([name, real.type, real.help, real.edges]);
    expect([...real.labels]).toEqual(
      expect.arrayContaining([...family.labels].filter((label) => label !== 'model_name')),
    );
  }
});

interface Family {
  type: string;
  help: string;
  readonly labels: Set<string>;
  readonly edges: number[];
}

function familiesOf(page: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const familyOf = (name: string): Family => {
    const family = families.get(name) ?? { type: '', help: '', labels: new Set<string>(), edges: [] };
    families.set(name, family);
    return family;
  };
  for (const line of page.split('\n')) {
    const comment = /^# (HELP|TYPE) (vllm:\S+) (.*)$/.exec(line);
    if (comment?.[1] === 'HELP') familyOf(comment[2]!).help = comment[3]!;
    if (comment?.[1] === 'TYPE') familyOf(comment[2]!).type = comment[3]!;
    const sample = /^(vllm:\w+?)(_bucket|_sum|_count)?\{(.*)\} /.exec(line);
    if (sample === null) continue;
    const family = familyOf(sample[1]!);
    for (const label of sample[3]!.matchAll(/(\w+)="/g)) family.labels.add(label[1]!);
    const edge = /le="([^"]+)"/.exec(sample[3]!)?.[1];
    if (edge !== undefined) family.edges.push(Number(edge.replace('+Inf', 'Infinity')));
  }
  return families;
}
