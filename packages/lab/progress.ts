// How far a study is, on a terminal as one line that changes, elsewhere as a line each tenth.

/** The part of a stream that progress needs. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

export interface Progress {
  tell(who: string, share: number): void;
  /** Takes the line away. */
  end(): void;
}

export function createProgress(terminal: Terminal, prefix = ''): Progress {
  let told = 0;
  return {
    tell(who, share) {
      const line = `${prefix}${(100 * share).toFixed(0)} %: ${who}`;
      if (terminal.isTTY === true) terminal.write(`\r\u001b[K${line}`);
      else if (share >= told + 0.1) {
        told = share;
        terminal.write(`${line}\n`);
      }
    },
    end() {
      if (terminal.isTTY === true) terminal.write('\r\u001b[K');
    },
  };
}
