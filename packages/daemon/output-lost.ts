// What a command does when nobody takes its output any more. Node reports that as an event, and an event that nobody
// listens for is a crash with a stack.

interface Output {
  on(event: 'error', listener: (cause: NodeJS.ErrnoException) => void): unknown;
  write(text: string): unknown;
}

/** As a shell says of a program that SIGPIPE has ended. */
const readerLeft = 141;

/**
 * Ends a command whose reader has left (`| head -1`) without a word and with 141, and one whose output does not fit on the
 * disk with a line and 1. Progress that does not fit is left out.
 */
export function onOutputLost(
  process: { readonly stdout: Output; readonly stderr: Output; exit(code: number): void },
  name: string,
  end: (code: number) => void = (code) => process.exit(code),
): void {
  let lost = false;
  const lose = (code: number, sentence = ''): void => {
    if (lost) return;
    lost = true;
    if (sentence !== '') process.stderr.write(sentence);
    end(code);
  };
  process.stdout.on('error', ({ code, message }) => {
    if (code === 'EPIPE') lose(readerLeft);
    else lose(1, `${name}: standard output cannot be written: ${message}\n`);
  });
  process.stderr.on('error', ({ code }) => {
    if (code === 'EPIPE') lose(readerLeft);
  });
}
