import { chmod, lstat, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from './error.ts';

/**
 * Removes a folder with all in it, also where folders are closed to their owner, as those of bundles are, and where they lie
 * deeper than a path can say (PATH_MAX). Links are removed and never followed. There may be none.
 * @param path absolute
 */
export async function removeFolder(path: string): Promise<void> {
  const rest = [path];
  for (let moved = 0; rest.length > 0; ) {
    const folder = rest.at(-1) as string;
    const problem = await tryRemove(folder);
    if (problem === undefined) rest.pop();
    else if (problem === 'ENAMETOOLONG') {
      for (const deep of await deepFolders(folder)) {
        const beside = `${path}.${moved++}.deep`;
        await rename(deep, beside);
        rest.push(beside);
      }
    } else await open(folder);
  }
}

/** @returns what has to be dealt with first */
async function tryRemove(folder: string): Promise<'ENAMETOOLONG' | 'closed' | undefined> {
  try {
    await rm(folder, { recursive: true, force: true });
    return undefined;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENAMETOOLONG') return code;
    // The owner of a folder can always open it: what is left then is somebody else's.
    if ((code === 'EACCES' || code === 'EPERM') && (await isClosed(folder))) return 'closed';
    throw error;
  }
}

async function open(folder: string): Promise<void> {
  if (!(await lstat(folder)).isDirectory()) return;
  await chmod(folder, 0o700);
  for (const inner of await foldersIn(folder)) await open(inner);
}

async function isClosed(folder: string): Promise<boolean> {
  const status = await lstat(folder);
  if (!status.isDirectory()) return false;
  if ((status.mode & 0o700) !== 0o700) return true;
  for (const inner of await foldersIn(folder)) if (await isClosed(inner)) return true;
  return false;
}

/** From here on a folder is moved, so that no path gets near the 4,096 bytes of Linux. */
const deepBytes = 2000;

async function deepFolders(folder: string, from = folder): Promise<string[]> {
  const deep: string[] = [];
  for (const inner of await foldersIn(from)) {
    if (Buffer.byteLength(inner) - Buffer.byteLength(folder) > deepBytes) deep.push(inner);
    else deep.push(...(await deepFolders(folder, inner)));
  }
  return deep;
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
}
