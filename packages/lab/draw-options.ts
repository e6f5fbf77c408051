// Which stretch of a recorded time is drawn as requests, and how.
export interface DrawOptions {
  /** Seconds from the trace's beginning that are left out, and how many of it follow: all, where that is not told. */
  readonly fromSecond: number;
  readonly seconds: number | undefined;
  /** Share of the requests that is kept. */
  readonly thin: number;
  readonly speed: number;
  readonly seed: number;
}
