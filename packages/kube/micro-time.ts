// Kubernetes' two ways to write a time. A Lease's times are MicroTime: exactly six digits, anything else is a 400.
import type { Instant } from '@kubeai/units';

/** `2026-11-24T10:00:00Z`, as in metadata, conditions and events. */
export const timeOf = (at: Instant): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** `2026-11-24T10:00:00.123000Z`, as in leases. */
export const microTimeOf = (at: Instant): string => new Date(at).toISOString().replace('Z', '000Z');
