// Two modules out of systeminformation's twenty: as a whole it is half of the agent's bundle and three megabytes of its
// memory. The package does not type them one by one.
declare module 'systeminformation/lib/memory.js' {
  const memory: { mem(): Promise<{ readonly total: number; readonly available: number }> };
  export default memory;
}
declare module 'systeminformation/lib/cpu.js' {
  const cpu: { currentLoad(): Promise<{ readonly currentLoad: number }> };
  export default cpu;
}
