// The face of the real cluster, for what runs on one: where it is, the way into its network, and whether it can be had here.
export { findBuilder } from '../../docker/images.ts';
export { defaultDirectory, layout } from './layout.ts';
export { forward, type Place } from './network-socket.ts';
export { obstacle, programPlaces } from './programs.ts';
