// CPU and memory of the node, by systeminformation. It reads many files for few numbers, so it is asked rarely; it
// is large, so only the two modules that we use are carried, and loaded after the start.
import type { Clock, Log } from '@kubeai/daemon';
import type { HostSample } from '@kubeai/protocol';
import { hostInterval } from './limits.ts';
import { createKept, type Source } from './source.ts';

export function startHostSource(clock: Clock, log: Log): Source<Omit<HostSample, 'ageMs'>> {
  const kept = createKept<Omit<HostSample, 'ageMs'>>();
  const stopped = new AbortController();

  void (async () => {
    const { default: cpu } = await import('systeminformation/lib/cpu.js');
    const { default: memory } = await import('systeminformation/lib/memory.js');
    while (!stopped.signal.aborted) {
      try {
        const [load, { total, available }] = await Promise.all([cpu.currentLoad(), memory.mem()]);
        kept.put(
          {
            cpuRatio: Math.min(1, Math.max(0, load.currentLoad / 100)),
            memoryUsedBytes: total - available,
            memoryTotalBytes: total,
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
