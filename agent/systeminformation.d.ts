// One module out of systeminformation's twenty; the package does not type them one by one.
declare module 'systeminformation/lib/memory.js' {
  const memory: { mem(): Promise<{ readonly total: number; readonly available: number }> };
  export default memory;
}
