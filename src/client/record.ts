/** `daemon.json` in `PRISN_HOME`: what a daemon that listens tells whoever wants to find it. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, type ProcessId } from '../base/process-id.ts';

/** `auto`: by a command that needed a server; `background`: `server start`; `foreground`: a terminal's or a supervisor's own. */
export type StartMode = 'auto' | 'background' | 'foreground';

export interface DaemonRecord extends ProcessId {
  /** `host:port`; null where HTTP is served on the socket alone. */
  readonly address: string | null;
  /** Why there is no address though one was wanted. */
  readonly note?: string;
  /** Absolute path. */
  readonly socket: string;
  /** Absolute path. */
  readonly data_dir: string;
  readonly version: string;
  /** Path of the program that runs it: another one is another installation. */
  readonly install: string;
  readonly mode: StartMode;
  /** The flags that it was started with, to start another one in its place. */
  readonly flags: readonly string[];
  /** RFC 3339. */
  readonly started_at: string;
}

/** @returns the record of the daemon of this home, if that daemon is alive */
export function readRecord(home: string): DaemonRecord | undefined {
  const record = storedRecord(home);
  return record && isRunning(record) ? record : undefined;
}

/** @returns the record of the last daemon of this home that is alive, or ended without stopping in order */
export function storedRecord(home: string): DaemonRecord | undefined {
  try {
    return JSON.parse(readFileSync(pathOf(home), 'utf8')) as DaemonRecord;
  } catch {
    return undefined;
  }
}

/** The file appears whole. */
export function writeRecord(home: string, record: DaemonRecord): void {
  const draft = `${pathOf(home)}.${record.pid}`;
  writeFileSync(draft, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, pathOf(home));
}

/** Removes the record of this process, and no other's. */
export function removeRecord(home: string): void {
  if (readRecord(home)?.pid === process.pid) rmSync(pathOf(home), { force: true });
}

function pathOf(home: string): string {
  return join(home, 'daemon.json');
}
