// Nothing outlives the cluster, not even when its process is killed with SIGKILL and cannot clean up: one tiny shell
// reads the list of process groups from a pipe, and when the pipe closes, for whatever reason, it kills them all.
// One shell for the whole kubelet rather than a supervisor for each container; portable where setpriv's parent-death
// signal is Linux only and does not reach grandchildren.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Log } from '@kubeai/daemon';

// It ignores the signals that a terminal sends to everybody: it must be the last to go.
const script = `
trap '' INT TERM HUP QUIT
groups=' '
while read -r change group; do
  case $change in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
exit 0
`;

export interface Watchdog {
  /** From now on the group dies with this process. */
  guard(group: number): void;
  /** The group has ended; its number may be given to somebody else. */
  release(group: number): void;
  /** Kills what is still guarded, and ends. */
  stop(): Promise<void>;
}

export function startWatchdog(log: Log): Watchdog {
  const guarded = new Set<number>();
  let stopping = false;
  let shell = start();

  function start(): ChildProcess {
    // A group of its own (detached): Ctrl-C in a terminal reaches the foreground group only.
    const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    child.on('error', (cause) => log.error('Watchdog not started; a killed cluster would leave processes', { cause }));
    child.stdin?.on('error', (cause) => log.debug('Watchdog has gone', { cause }));
    child.once('exit', () => {
      if (stopping) return;
      log.warn('Watchdog ended; started another', { groups: guarded.size });
      shell = start();
      for (const group of guarded) tell(`+ ${group}`);
    });
    child.unref();
    return child;
  }
  const tell = (line: string) => shell.stdin?.write(`${line}\n`);

  return {
    guard(group) {
      guarded.add(group);
      tell(`+ ${group}`);
    },
    release(group) {
      if (guarded.delete(group)) tell(`- ${group}`);
    },
    async stop() {
      stopping = true;
      if (shell.exitCode !== null || shell.pid === undefined) return;
      const ended = new Promise((resolve) => shell.once('exit', resolve));
      shell.ref();
      shell.stdin?.end();
      await ended;
    },
  };
}
