/** The files of an environment, once they are there: closed for writing, known by one digest, synced. */
import { createHash, hash } from 'node:crypto';
import { chmod, lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Contents {
  /** SHA-256 over names, kinds and contents; compiled Python is left out, as an interpreter may add some. */
  readonly digest: string;
  readonly files: number;
  readonly bytes: number;
}

/** Closes all files and folders for writing (root writes all the same) and reads them once. */
export async function closeFiles(folder: string): Promise<Contents> {
  const sum = createHash('sha256');
  let [files, bytes] = [0, 0];
  for await (const { path, name, mode } of walk(folder, '')) {
    const isCompiled = /(?:^|\/)__pycache__(?:\/|$)/.test(name);
    if ((mode & 0o170000) === 0o120000) sum.update(`l ${name}\0${await readlink(path)}\0`);
    else if ((mode & 0o170000) === 0o040000) {
      if (!isCompiled) sum.update(`d ${name}\0`);
      await close(path, mode);
    } else {
      files++;
      const data = await readFile(path);
      bytes += data.length;
      if (!isCompiled) sum.update(`f ${name}\0${hash('sha256', data)}\0`);
      await close(path, mode);
    }
  }
  return { digest: sum.digest('hex'), files, bytes };
}

async function close(path: string, mode: number): Promise<void> {
  if ((mode & 0o222) !== 0) await chmod(path, mode & 0o7555);
}

/** In the order of names, and a folder after what is in it. */
async function* walk(path: string, name: string): AsyncGenerator<{ path: string; name: string; mode: number }> {
  const { mode } = await lstat(path);
  if ((mode & 0o170000) === 0o040000)
    for (const entry of (await readdir(path)).sort()) yield* walk(join(path, entry), name === '' ? entry : `${name}/${entry}`);
  yield { path, name, mode };
}

/** All that was written to the file system of a folder, by sync(1): thousands of files one by one would take longer. */
export async function syncFolder(folder: string): Promise<void> {
  const child = spawn('sync', process.platform === 'linux' ? ['-f', folder] : [], { stdio: 'ignore' });
  await Promise.race([once(child, 'exit'), once(child, 'error')]).catch(() => undefined);
}
