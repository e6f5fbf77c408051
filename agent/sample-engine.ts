// Asks the model server for its own numbers each second. Which engine it is and where its page lies is found out by
// asking; a server without such a page is asked again only now and then, so that its log stays readable.
import { Agent } from 'node:http';
import type { Clock, Log } from '@kubeai/daemon';
import { type EngineReading, queueLengthOf, readEngine } from '@kubeai/engines';
import type { EngineSample } from '@kubeai/protocol';
import { type Milliseconds, milliseconds } from '@kubeai/units';
import { fetchPage } from './http-page.ts';
import { maxScrapeBytes, scrapeInterval, scrapeTimeout, unsupportedScrapeInterval } from './limits.ts';
import { createKept, type Source } from './source.ts';

/** Where engines publish: on the port of their API, except Triton (8002) and TorchServe (8082). */
const places: readonly { readonly port?: number; readonly path: string }[] = [
  { path: '/metrics' },
  { path: '/v1/metrics' },
  { path: '/prometheus/metrics' },
  { port: 8002, path: '/metrics' },
  { port: 8082, path: '/metrics' },
];

export interface EngineSourceOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
}

export function startEngineSource({
  host,
  port,
  clock,
  log,
}: EngineSourceOptions): Source<Omit<EngineSample, 'ageMs'>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const kept = createKept<Omit<EngineSample, 'ageMs'>>();
  const urls = places.map((place) => new URL(`http://${bracketed(host)}:${place.port ?? port}${place.path}`));
  const stopped = new AbortController();
  let found: URL | undefined;
  let before: { readonly reading: EngineReading; readonly at: number } | undefined;

  const ask = async (url: URL): Promise<'taken' | 'none' | 'unreachable'> => {
    const page = await fetchPage(url, { agent, timeout: scrapeTimeout, maxBytes: maxScrapeBytes });
    if (page.kind === 'unreachable') return 'unreachable';
    // A server that is loading says 503 where its page will be.
    if (page.kind === 'status') return page.status >= 500 ? 'unreachable' : 'none';
    const answer = readEngine(page.text, { brief: true });
    if (!answer.ok) return 'none';
    const now = clock.monotonic();
    kept.put(sampleOf(answer.value, before, now), now);
    before = { reading: answer.value, at: now };
    return 'taken';
  };

  /** One round; returns how long to wait for the next. */
  const round = async (): Promise<Milliseconds> => {
    if (found !== undefined) {
      const outcome = await ask(found);
      if (outcome !== 'taken') kept.miss(outcome === 'none' ? 'Unreadable' : 'Unreachable');
      // The page is gone (another server took the port): look for it again.
      if (outcome === 'none') found = undefined;
      return scrapeInterval;
    }
    let reached = false;
    for (const url of urls) {
      const outcome = await ask(url);
      if (outcome === 'taken') {
        found = url;
        log.info('Found the engine', { engine: before?.reading.engine, url: url.href });
        return scrapeInterval;
      }
      if (outcome === 'none' && url.port === urls[0]!.port) reached = true;
      // Nobody listens yet: the other pages of the same server need not be asked for.
      if (outcome === 'unreachable' && url === urls[0]) break;
    }
    kept.miss(reached ? 'NotSupported' : 'Unreachable');
    return reached ? unsupportedScrapeInterval : scrapeInterval;
  };

  void (async () => {
    while (!stopped.signal.aborted) {
      const begun = clock.monotonic();
      const wait = await round();
      await clock.sleep(milliseconds(Math.max(50, wait - (clock.monotonic() - begun))), stopped.signal);
    }
    agent.destroy();
  })();

  return {
    latest: kept.latest,
    stop: () => stopped.abort(),
  };
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** What goes into the report; speeds need two readings of the same engine, in order. */
function sampleOf(
  reading: EngineReading,
  before: { readonly reading: EngineReading; readonly at: number } | undefined,
  now: number,
): Omit<EngineSample, 'ageMs'> {
  const perSecond = (newer: number | undefined, older: number | undefined): number | undefined => {
    if (newer === undefined || older === undefined || before === undefined) return undefined;
    // A counter that fell was reset by a restart: nothing is known of the time between.
    return newer < older || now <= before.at ? undefined : ((newer - older) * 1_000) / (now - before.at);
  };
  const optional = {
    waiting: queueLengthOf(reading),
    running: reading.running,
    kvCacheRatio: reading.kvCacheRatio === undefined ? undefined : Math.min(1, reading.kvCacheRatio),
    promptTokensPerSecond: perSecond(reading.promptTokens, before?.reading.promptTokens),
    generatedTokensPerSecond: perSecond(reading.generatedTokens, before?.reading.generatedTokens),
  };
  return {
    name: reading.engine,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<
      Record<keyof typeof optional, number>
    >),
  };
}
