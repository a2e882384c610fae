/**
 * A lock between processes: a file that appears with its holder in it, by link(2), and counts as long as that process lives.
 *
 * Of those that find a dead holder one takes the file away by renaming it, which only one can. It may by then be another's,
 * who was faster: that is seen by what is in it, and it is put back. Whoever waits looks again ten times a second.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf, PrisnError } from '../base/error.ts';
import { isRunning, processId, type ProcessId } from '../base/process-id.ts';

export interface Lock {
  release(): void;
}

export interface LockOptions {
  /** Is told once whom it waits for. */
  readonly waiting: (pid: number) => void;
  readonly signal: AbortSignal;
}

interface Holder extends ProcessId {
  /** Tells two locks of one process apart. */
  readonly token: string;
}

const pollMs = 100;

/** @param file absolute path in a folder that exists @throws PrisnError `dependency` when it was given up; system errors */
export async function lock(file: string, { waiting, signal }: LockOptions): Promise<Lock> {
  const token = randomBytes(8).toString('hex');
  const me = JSON.stringify({ ...(processId(process.pid) ?? { pid: process.pid, start: '', boot: '' }), token });
  const draft = `${file}.${token}`;
  writeFileSync(draft, me, { mode: 0o600 });
  let hasSaid = false;
  try {
    while (!take(draft, file)) {
      const text = read(file);
      const holder = text === undefined ? undefined : parse(text);
      if (holder && isRunning(holder)) {
        if (!hasSaid) waiting(holder.pid);
        hasSaid = true;
        await delay(pollMs, undefined, { signal }).catch(() => {
          throw new PrisnError('dependency', 'it was given up before its turn to be built had come');
        });
      } else if (text !== undefined) takeAway(file, text, token);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return { release: () => void (read(file) === me && rmSync(file, { force: true })) };
}

/** @returns the process that holds a lock, undefined where none does */
export function lockHolder(file: string): number | undefined {
  const holder = parse(read(file) ?? '');
  return holder && isRunning(holder) ? holder.pid : undefined;
}

function take(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function takeAway(file: string, dead: string, token: string): void {
  const aside = `${file}.${token}.dead`;
  try {
    renameSync(file, aside);
  } catch {
    return; // somebody else was faster
  }
  if (read(aside) !== dead) take(aside, file);
  rmSync(aside, { force: true });
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    return typeof holder.pid === 'number' ? holder : undefined;
  } catch {
    return undefined;
  }
}
