// CPU and memory of the node, by systeminformation. It reads many files for few numbers and is large, so it is loaded
// after the start and asked rarely.
import type { Clock, Log } from '@kubeai/daemon';
import type { HostSample } from '@kubeai/protocol';
import { hostInterval } from './limits.ts';
import { createKept, type Source } from './source.ts';

export function startHostSource(clock: Clock, log: Log): Source<Omit<HostSample, 'ageMs'>> {
  const kept = createKept<Omit<HostSample, 'ageMs'>>();
  const stopped = new AbortController();

  void (async () => {
    const { currentLoad, mem } = await import('systeminformation');
    while (!stopped.signal.aborted) {
      try {
        const [load, memory] = await Promise.all([currentLoad(), mem()]);
        kept.put(
          {
            cpuRatio: Math.min(1, Math.max(0, load.currentLoad / 100)),
            memoryUsedBytes: memory.total - memory.available,
            memoryTotalBytes: memory.total,
          },
          clock.monotonic(),
        );
      } catch (cause) {
        log.debug('The host could not be measured', { cause });
        kept.miss('Unreadable');
      }
      await clock.sleep(hostInterval, stopped.signal);
    }
  })();

  return { latest: kept.latest, stop: () => stopped.abort() };
}
