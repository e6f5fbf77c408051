// What a demonstration says while it runs: steps as lines, and one line that is kept up to date. On a terminal it
// changes in place; elsewhere it is repeated every few seconds.
export interface Screen {
  /** A step that has begun or a fact worth keeping. */
  say(line: string): void;
  /** The present state; replaces the one before. */
  show(line: string): void;
}

const plainEvery = 5;

export interface TextOutput {
  write(text: string): unknown;
}

export function createScreen(output: TextOutput, live: boolean): Screen {
  let shown = false;
  let calls = 0;
  const clear = () => {
    if (shown) output.write('\r\u001b[K');
    shown = false;
  };
  return {
    say(line) {
      clear();
      output.write(`${line}\n`);
    },
    show(line) {
      if (live) {
        clear();
        output.write(line);
        shown = true;
      } else if (calls++ % plainEvery === 0) output.write(`${line}\n`);
    },
  };
}
