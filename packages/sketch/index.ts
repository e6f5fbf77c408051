// Mergeable percentiles: the agent records, the controller merges over pods and time, then asks for a quantile.
export { binCount, createSketch, decodeSketch, type EncodedSketch, problemOfEncoded, type Sketch } from './sketch.ts';
