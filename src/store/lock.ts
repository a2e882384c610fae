/**
 * One daemon a data directory. LevelDB's own lock does not do: whoever deletes the file LOCK gets a second one.
 *
 * Node has no flock(2), so flock(1) locks the directory itself and becomes the parent of a `cat` that reads our pipe: it
 * echoes a line once the lock is held, and it ends when we do, however we end, since the pipe closes then. Where there is no
 * flock(1), the file `holder.json` is the lock, believed as long as its process lives: a process is (pid, start, boot).
 * In both cases that file tells the refused whom to look for.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrisnError, errnoOf } from '../base/error.ts';
import { isRunning, processId, type ProcessId } from '../base/process-id.ts';

export interface Holder extends ProcessId {
  /** RFC 3339. */
  readonly since: string;
  /** Where it listens. */
  readonly socket: string;
}

export interface Lock {
  /** Resolves when the lock was lost though it was not released: its owner should stop. */
  readonly lost: Promise<void>;
  release(): Promise<void>;
}

/**
 * @param directory absolute, existing
 * @param socket path of the daemon's socket, for the refusal of others
 * @param flock the program
 * @throws PrisnError `conflict`, naming the holder
 */
export async function acquireLock(directory: string, socket: string, flock = 'flock'): Promise<Lock> {
  const file = join(directory, 'holder.json');
  const me: Holder = {
    pid: process.pid,
    start: '',
    boot: '',
    ...processId(process.pid),
    since: new Date().toISOString(),
    socket,
  };
  const child = await lockDirectory(directory, flock);
  if (child === 'held') throw refusal(directory, readHolder(file));
  if (child === 'no flock') {
    takeFile(directory, file, me);
    return { lost: new Promise(() => undefined), release: async () => rmSync(file, { force: true }) };
  }
  writeFileSync(file, JSON.stringify(me), { mode: 0o600 });
  let released = false;
  const exited = once(child, 'exit');
  return {
    lost: new Promise((resolve) => child.once('exit', () => void (released || resolve()))),
    release: async () => {
      if (released) return;
      released = true;
      rmSync(file, { force: true });
      child.ref();
      child.stdin?.end();
      await exited;
    },
  };
}

/** Out of our group, so that a Ctrl-C of the terminal does not take the lock away while we drain. */
async function lockDirectory(directory: string, flock: string): Promise<ChildProcess | 'held' | 'no flock'> {
  const child = spawn(flock, ['-n', directory, 'cat'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true, cwd: '/' });
  child.stdin.on('error', () => undefined);
  const answer = await new Promise<'locked' | number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', resolve);
    child.stdout.once('data', () => resolve('locked'));
    child.stdin.write('held?\n');
  });
  if (answer === 'locked') {
    child.unref();
    for (const pipe of [child.stdin, child.stdout]) if ('unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
    return child;
  }
  // flock(1): 1 when the lock is held by another.
  return answer === 1 ? 'held' : 'no flock';
}

/** The file appears with its content or not at all. */
function takeFile(directory: string, file: string, me: Holder): void {
  const draft = join(directory, `holder-${me.pid}.json`);
  writeFileSync(draft, JSON.stringify(me), { mode: 0o600 });
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        linkSync(draft, file);
        return;
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
        const holder = readHolder(file);
        if (attempt > 1 || (holder && isRunning(holder))) throw refusal(directory, holder);
        rmSync(file, { force: true });
      }
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

function refusal(directory: string, holder: Holder | undefined): PrisnError {
  const who = holder ? `process ${holder.pid} since ${holder.since}, socket ${holder.socket}` : 'another process';
  return new PrisnError(
    'conflict',
    `${directory} is in use by another prisn daemon: ${who}; stop it with prisn server stop, or take another --data-dir`,
  );
}
