// The simulated epoch: schedules of policies need a date. A Monday, 00:00 UTC.
import { type Instant, instant } from '@kubeai/units';

export const epoch: Instant = instant(Date.UTC(2024, 0, 1));
