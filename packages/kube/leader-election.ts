// A port of client-go's leader election on a Lease. The holder renews; others watch the record and take over when it
// has not changed for a lease's length *on their own clock*, so the clocks of two machines are never compared. Like the
// original it does not promise that only one acts at a time: what the leader does must be safe to do twice.
import type { Clock, Log } from '@kubeai/daemon';
import { type Milliseconds, milliseconds, seconds } from '@kubeai/units';
import { isKubeError, type KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import { microTimeOf } from './micro-time.ts';
import { resources } from './resource.ts';

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates: the pod's name and a random part. */
  readonly identity: string;
  /** Others wait this long without a renewal. Default 15 s, as in client-go. */
  readonly leaseDuration?: Milliseconds;
  /** The leader gives up when it has not renewed for this long. Default 10 s. */
  readonly renewDeadline?: Milliseconds;
  /** Time between attempts. Default 2 s. */
  readonly retryPeriod?: Milliseconds;
  readonly random?: () => number;
}

export interface LeaderElection {
  isLeader(): boolean;
  /** Who holds the lease, as far as we have seen. */
  leader(): string | undefined;
  /**
   * Waits for the lease, calls `lead` with a signal that aborts when the lease is lost, and resolves then, or when
   * `stop` has been called. The lease is given back on the way out when it is still ours.
   */
  run(lead: (lost: AbortSignal) => void): Promise<void>;
  stop(): void;
}

// client-go's JitterFactor: candidates that start together do not stay in step.
const jitter = 1.2;

export function createLeaderElection(options: LeaderElectionOptions): LeaderElection {
  const { client, clock, identity, name, namespace } = options;
  const leaseDuration = options.leaseDuration ?? seconds(15);
  const renewDeadline = options.renewDeadline ?? seconds(10);
  const retryPeriod = options.retryPeriod ?? seconds(2);
  const random = options.random ?? Math.random;
  const log = options.log.child({ lease: { namespace, name }, identity });
  const stopped = new AbortController();
  let seen: Lease | undefined;
  let seenAt = clock.monotonic();
  let leading = false;

  const observe = (lease: Lease) => {
    if (JSON.stringify(lease.spec) !== JSON.stringify(seen?.spec)) seenAt = clock.monotonic();
    seen = lease;
  };
  const isOurs = () => seen?.spec?.holderIdentity === identity;

  /** One attempt. False when somebody else holds the lease or was faster; throws when the server cannot be asked. */
  async function acquireOrRenew(): Promise<boolean> {
    const now = microTimeOf(clock.now());
    const spec: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDuration / 1_000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 0,
    };
    try {
      const found = await client.find<Lease>(resources.leases, { namespace, name });
      if (found === undefined) {
        observe(await client.create<Lease>(resources.leases, { metadata: { namespace, name }, spec } as Lease));
        return true;
      }
      observe(found);
      const held = found.spec?.holderIdentity ?? '';
      const theirDuration = seconds(found.spec?.leaseDurationSeconds ?? leaseDuration / 1_000);
      const unchangedFor = milliseconds(clock.monotonic() - seenAt);
      if (held !== '' && held !== identity && unchangedFor < theirDuration) return false;
      const transitions = found.spec?.leaseTransitions ?? 0;
      const kept: LeaseSpec =
        held === identity
          ? { ...spec, acquireTime: found.spec?.acquireTime ?? now, leaseTransitions: transitions }
          : { ...spec, leaseTransitions: transitions + 1 };
      observe(await client.replace<Lease>(resources.leases, { ...found, spec: kept } as Lease));
      return true;
    } catch (cause) {
      // Somebody else wrote first: their record is read at the next attempt.
      if (isKubeError(cause, 409)) return false;
      throw cause;
    }
  }

  async function attempt(): Promise<boolean> {
    try {
      return await acquireOrRenew();
    } catch (cause) {
      log.warn('Lease could not be written', { cause });
      return false;
    }
  }

  async function acquire(): Promise<boolean> {
    while (!stopped.signal.aborted) {
      if (await attempt()) return true;
      await clock.sleep(milliseconds(retryPeriod * (1 + random() * (jitter - 1))), stopped.signal);
    }
    return false;
  }

  /** Returns when the lease has not been renewed for the deadline, or somebody else holds it, or we were stopped. */
  async function renew(): Promise<void> {
    let renewedAt = clock.monotonic();
    while (!stopped.signal.aborted) {
      await clock.sleep(retryPeriod, stopped.signal);
      if (stopped.signal.aborted) return;
      // A call that hangs must not outlast the deadline: the others count from our last renewal.
      const left = milliseconds(renewDeadline - (clock.monotonic() - renewedAt));
      const renewed = left > 0 && (await Promise.race([attempt(), clock.sleep(left).then(() => false)]));
      if (renewed) renewedAt = clock.monotonic();
      else if (!isOurs() || clock.monotonic() - renewedAt >= renewDeadline) return;
    }
  }

  async function release(): Promise<void> {
    if (!isOurs() || seen === undefined) return;
    const now = microTimeOf(clock.now());
    const spec: LeaseSpec = {
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: seen.spec?.leaseTransitions ?? 0,
    };
    try {
      observe(await client.replace<Lease>(resources.leases, { ...seen, spec } as Lease));
    } catch (cause) {
      log.warn('Lease could not be released and will run out by itself', { cause });
    }
  }

  return {
    isLeader: () => leading,
    leader: () => seen?.spec?.holderIdentity || undefined,
    async run(lead) {
      if (!(await acquire())) return;
      const lost = new AbortController();
      leading = true;
      log.info('Became leader');
      lead(lost.signal);
      await renew();
      leading = false;
      lost.abort();
      log.info('Stopped leading', { stopped: stopped.signal.aborted });
      await release();
    },
    stop: () => stopped.abort(),
  };
}
