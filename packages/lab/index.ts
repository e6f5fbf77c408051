// The policy lab: real traffic against a policy and its rivals, before anybody trusts it.
export { frontOf, hoursFor, missesAt, tuned } from './compare.ts';
export { isRival, type RivalName, rivalNames } from './contenders.ts';
export { lab } from './lab-command.ts';
export { defaultPolicy, ours, withWork } from './ours.ts';
export { type ReadWorkload, readWorkload, type WorkloadOptions } from './read-workload.ts';
export { recommendCommand } from './recommend-command.ts';
export { type Score, scoreOf } from './score.ts';
export { isShape, shapeNames } from './shapes.ts';
export { type Outcome, simulate } from './simulation.ts';
export { type Result, type Study, type StudyOptions, study } from './study.ts';
export type { Workload } from './workload.ts';
export type { World } from './world.ts';
