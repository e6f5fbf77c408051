// CPU and memory of the node. Memory is read by systeminformation, of which only that module is carried, and loaded
// after the start: as a whole it is half a bundle. Its CPU load starts a shell and waits for it, which would hold up every
// request for ten milliseconds and more, so that one is the difference of two looks at the kernel's own counters.
import { cpus } from 'node:os';
import type { Clock, Log } from '@kubeai/daemon';
import type { HostSample } from '@kubeai/protocol';
import { hostInterval } from './limits.ts';
import { createKept, type Source } from './source.ts';

interface CpuTimes {
  readonly busy: number;
  readonly all: number;
}

export function startHostSource(clock: Clock, log: Log): Source<Omit<HostSample, 'ageMs'>> {
  const kept = createKept<Omit<HostSample, 'ageMs'>>();
  const stopped = new AbortController();
  let before = cpuTimes();

  const round = async (): Promise<void> => {
    const { default: memory } = await import('systeminformation/lib/memory.js');
    const { total, available } = await memory.mem();
    const now = cpuTimes();
    const ratio = (now.busy - before.busy) / (now.all - before.all);
    before = now;
    kept.put(
      {
        // Nothing between two looks that follow at once.
        ...(ratio >= 0 && ratio <= 1 ? { cpuRatio: ratio } : {}),
        memoryUsedBytes: total - available,
        memoryTotalBytes: total,
      },
      clock.monotonic(),
    );
  };

  void (async () => {
    while (!stopped.signal.aborted) {
      await round().catch((cause: unknown) => {
        log.debug('The host could not be measured', { cause });
        kept.miss('Unreadable');
      });
      await clock.sleep(hostInterval, stopped.signal);
    }
  })();

  return { latest: kept.latest, stop: () => stopped.abort() };
}

function cpuTimes(): CpuTimes {
  let busy = 0;
  let all = 0;
  for (const { times } of cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busy += used;
    all += used + times.idle;
  }
  return { busy, all };
}
