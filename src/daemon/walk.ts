/** The files and links below a folder, one after the other, while others may change it. */
import type { Stats } from 'node:fs';
import { lstat, opendir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../base/error.ts';

export interface Found {
  /** Relative to the folder. */
  readonly path: string;
  readonly stats: Stats;
  readonly kind: 'file' | 'folder' | 'link';
  /** Of a link. */
  readonly target?: string;
}

/** Folders come before what they hold; sockets, pipes and devices are passed over, as is what goes meanwhile. */
export async function* walk(root: string, below = ''): AsyncGenerator<Found> {
  for await (const entry of await openFolder(join(root, below))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    const found = await look(root, path);
    if (!found) continue;
    yield found;
    if (found.kind === 'folder') yield* walk(root, path);
  }
}

async function openFolder(path: string): Promise<AsyncIterable<{ readonly name: string }>> {
  try {
    return await opendir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return (async function* () {})();
    throw error;
  }
}

async function look(root: string, path: string): Promise<Found | undefined> {
  const file = join(root, path);
  try {
    const stats = await lstat(file);
    if (stats.isSymbolicLink()) return { path, stats, kind: 'link', target: await readlink(file) };
    if (stats.isDirectory()) return { path, stats, kind: 'folder' };
    return stats.isFile() ? { path, stats, kind: 'file' } : undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
