/**
 * A power cut without one: a library preloaded into a process notes how much of each file was synced, and after the
 * process was killed each file is cut to that.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from './machine.ts';

/** Options of a test that cuts the power. */
export function needsPowerCut(): { skip: string | false } {
  if (process.platform !== 'linux') return { skip: 'Linux only' };
  return { skip: findProgram('cc') === undefined && 'there is no C compiler here' };
}

export class PowerCut {
  readonly #journal: string;
  /** For the process whose files are watched. */
  readonly env: { readonly LD_PRELOAD: string; readonly SYNC_JOURNAL: string };

  /** @param folder for the library and the journal, outside of what is cut */
  constructor(folder: string) {
    const library = join(folder, 'power-cut.so');
    const source = fileURLToPath(new URL('./store/power-cut.c', import.meta.url));
    const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { encoding: 'utf8' });
    assert.equal(built.status, 0, built.stderr);
    this.#journal = join(folder, 'journal');
    this.env = { LD_PRELOAD: library, SYNC_JOURNAL: this.#journal };
  }

  /** Cuts each file below the folder to what was synced of it. */
  cut(folder: string): void {
    const synced = new Map<number, number>();
    for (const line of existsSync(this.#journal) ? readFileSync(this.#journal, 'utf8').split('\n') : []) {
      const [inode, size] = line.split(' ').map(Number);
      if (inode !== undefined && size !== undefined) synced.set(inode, size);
    }
    for (const { path, ino, size } of filesOf(folder)) {
      const kept = synced.get(ino) ?? 0;
      if (kept < size) truncateSync(path, kept);
    }
  }

  /** Takes what is there as synced: another process, unseen by the journal, has written it. */
  accept(folder: string): void {
    rmSync(this.#journal, { force: true });
    for (const { ino, size } of filesOf(folder)) appendFileSync(this.#journal, `${ino} ${size}\n`);
  }
}

/** LevelDB never reads its LOG and LOCK files again. */
function filesOf(folder: string): { path: string; ino: number; size: number }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/^LOG|^LOCK/.test(entry.name))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { ino, size } = statSync(path);
      return { path, ino, size };
    });
}
