// What V8 is told, so that the agent stays small. Most agents have little to do most of the time, and what they do once a
// second would in the end be compiled all the same: the compilers' own code then lies in memory, 4 MB of it.
import { setFlagsFromString } from 'node:v8';

export interface Thrift {
  /** There is work for compiled code now. Later calls do nothing. */
  end(): void;
}

/** Begins at once; to be called before anything else is done. */
export function beginThrift(): Thrift {
  // What we allocate dies at once, so room for the young to grow buys nothing: kept small, it saves 10 to 25 MB under load
  // for up to 5 % of CPU in streams (npm run bench:agent).
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--no-opt');
  setFlagsFromString('--no-sparkplug');
  let over = false;
  return {
    end() {
      if (over) return;
      over = true;
      setFlagsFromString('--opt');
      setFlagsFromString('--sparkplug');
    },
  };
}
