// Where log lines go: the file descriptor at once, so that the last words of a process are not lost; and nowhere when it
// does not take them. A full disk or a reader that went away must not end a process that others wait for.
import { writeSync } from 'node:fs';

export interface LogLines {
  write(line: string): void;
  /** Lines that could not be written. */
  readonly lost: number;
}

/** Lines for an open file; never throws. */
export function createLogLines(descriptor: number): LogLines {
  let lost = 0;
  return {
    write(line) {
      try {
        writeSync(descriptor, line);
      } catch {
        lost += 1;
      }
    },
    get lost() {
      return lost;
    },
  };
}
