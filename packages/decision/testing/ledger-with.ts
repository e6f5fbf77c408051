// Four serving replicas whose like take a minute to start, of which a test says what is different.
import { instant, milliseconds } from '@kubeai/units';
import type { Ledger } from '../ledger.ts';

export function ledgerWith(different: Partial<Ledger & Ledger['counts']> = {}): Ledger {
  const { requested = 0, unschedulable = 0, pulling = 0, loading = 0, warming = 0, ...others } = different;
  const { serving = 4, failing = 0, lost = 0, draining = 0, ...facts } = others;
  return {
    counts: { requested, unschedulable, pulling, loading, warming, serving, failing, lost, draining },
    credited: 0,
    dead: failing + lost,
    startup: { samples: [milliseconds(60_000)], lastReady: instant(0) },
    startupP50Ms: 60_000,
    startupP90Ms: 60_000,
    ...facts,
  };
}
