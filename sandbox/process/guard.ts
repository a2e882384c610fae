/**
 * The guard: ends the runs of this process when it dies without a word (SIGKILL, the OOM killer, a crash).
 *
 * It is one `/bin/sh` for the whole process, in a session of its own, so that neither Ctrl-C nor a kill of our group
 * reaches it. It reads a pipe of ours: `+ spec` when a run starts, `- spec` when it has ended. At the end of the file, if
 * a run is left, it becomes `sweep.ts`, which ends the trees by the same code as we do. It holds no other descriptor.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { TreeSpec } from '../proc.ts';
import { siblingPath } from '../sibling.ts';

const script = `
newline='
'
runs=$1$newline
shift
while read -r op spec; do
  case $op in
    +) runs=$runs$spec$newline ;;
    -) runs=\${runs%%"$spec$newline"*}\${runs#*"$spec$newline"} ;;
  esac
done
[ -z "$runs" ] || exec "$@" <<END
$runs
END
`;

const watched = new Set<string>();
let guard: ChildProcess | undefined;

/** Has the guard end this tree if we die. @returns releases it again */
export function watchOver(spec: TreeSpec): () => void {
  const line = JSON.stringify(spec);
  watched.add(line);
  if (guard) tell('+', line);
  else startGuard(line);
  return () => {
    watched.delete(line);
    tell('-', line);
  };
}

/** Ends the guard, once no run is left; resolves when it is gone, so that it leaves no zombie to a PID 1 that does not reap. */
export function dismissGuard(): Promise<void> {
  const dismissed = guard;
  if (!dismissed || watched.size > 0) return Promise.resolve();
  guard = undefined;
  return endHelper(dismissed);
}

/** Kills a helper of ours, which holds no state; resolves when it is reaped. */
export function endHelper(helper: ChildProcess): Promise<void> {
  if (helper.pid === undefined || helper.exitCode !== null || helper.signalCode !== null) return Promise.resolve();
  helper.ref();
  return new Promise((resolve) => {
    helper.once('exit', () => resolve());
    helper.kill('SIGKILL');
  });
}

/** @param first the run that is there from the start, also when we die before the next word */
function startGuard(first: string): void {
  // Without a run id in its environment, or the end of an outer run would take the guard first.
  const started = spawn(
    '/bin/sh',
    ['-c', script, 'prisn-guard', first, process.execPath, siblingPath(import.meta.url, 'sweep')],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: {},
    },
  );
  // Without a descriptor or a process left for it, the run goes on unguarded.
  if (started.pid === undefined) return void started.once('error', () => {});
  guard = started;
  const forget = (): void => {
    if (guard === started) guard = undefined;
  };
  started.once('error', forget).once('exit', forget).unref();
  const pipe = started.stdin as Socket;
  pipe.on('error', () => {}).unref();
  for (const line of watched) if (line !== first) tell('+', line);
}

function tell(op: '+' | '-', line: string): void {
  guard?.stdin?.write(`${op} ${line}\n`);
}
