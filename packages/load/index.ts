// Load as it was recorded: reads a trace, replays it open loop, reports what users would have seen.
export { cellsOf, clipped, linesOf } from './csv.ts';
export { longestTrace } from './limits.ts';
export { replayOptions } from './options.ts';
export { type Failure, failures, type Outcome, type RequestRecord } from './play-request.ts';
export { readTrace, readTraceText } from './read-trace.ts';
export { type Progress, type ReplayOptions, replay } from './replay.ts';
export { type LoadReport, type Promised, type Spread, shareWithin } from './report.ts';
export { type ScheduledRequest, type ScheduleOptions, scheduleOf } from './schedule.ts';
export { summaryOf } from './summary.ts';
export { parseTrace, type Trace, type TraceRequest } from './trace.ts';
