// Instants as the API writes them.

/** RFC 3339 in whole seconds, like metav1.Time. */
export const timeOf = (instant: number): string => new Date(instant).toISOString().replace(/\.\d+Z$/, 'Z');

/** RFC 3339 with microseconds, like metav1.MicroTime; fewer digits are refused by a real API server. */
export const microTimeOf = (instant: number): string => new Date(instant).toISOString().replace('Z', '000Z');
