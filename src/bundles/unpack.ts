/**
 * Unpacks an archive that anyone may have made, and computes its id on the way.
 *
 * The parser (tar-stream) only says what an entry claims to be; nothing is believed: every name goes through
 * `BundlePaths`, only plain files and links are made, each with O_EXCL below folders that were made here, and of the
 * permissions only the executable bit is kept. Bytes are counted where they come out of the decompression, and an entry
 * that announces too many is refused before it is read, so a bomb costs at most the limit.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, open, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, type Gunzip } from 'node:zlib';
import * as tar from 'tar-stream';
import { errnoOf, messageOf, PrisnError } from '../base/error.ts';
import { type BundleEntry, type BundleLimits, BundlePaths, checkTarget, contentId, leaveOut, refusal } from './content.ts';
import { inParallel } from './parallel.ts';

export interface Unpacked {
  readonly id: string;
  /** Sum of the sizes of the files. */
  readonly bytes: number;
}

/**
 * @param archive a gzipped tar; after a refusal the rest of it is unread
 * @param folder absolute path of an empty folder
 * @returns once all is on the disk (fsync)
 * @throws PrisnError `usage` for what is no bundle, naming the entry; `too_large`; `storage_full`
 */
export async function unpack(archive: AsyncIterable<Uint8Array>, folder: string, limits: BundleLimits): Promise<Unpacked> {
  const gunzip = createGunzip();
  const extract = tar.extract();
  const unpacking = pipeline(gunzip, (bytes: AsyncIterable<Uint8Array>) => upTo(limits.unpackedBytes, bytes), extract);
  const [written, unpacked] = await Promise.allSettled([
    writeEntries(extract, folder, limits),
    unpacking,
    feed(archive, gunzip, limits.packedBytes, unpacking),
  ]);
  if (written.status === 'rejected') throw asPrisnError(written.reason);
  if (unpacked.status === 'rejected') throw asPrisnError(unpacked.reason);
  const { entries, bytes } = written.value;
  if (entries.length === 0) throw new PrisnError('usage', 'the bundle is refused: it has no files');
  return { id: contentId(entries), bytes };
}

async function writeEntries(
  extract: tar.Extract,
  folder: string,
  limits: BundleLimits,
): Promise<{ entries: BundleEntry[]; bytes: number }> {
  const paths = new BundlePaths(limits.entries);
  const folders = new Set([folder]);
  const entries: BundleEntry[] = [];
  let bytes = 0;
  for await (const entry of extract) {
    const { name, type, size, linkname, mode } = entry.header;
    if (type !== 'file' && type !== 'symlink' && type !== 'directory')
      throw refusal(name, `is ${nameOfType(type)}; only files, links and folders can be part`);
    const path = paths.add(name, type === 'directory' ? 'folder' : type === 'symlink' ? 'link' : 'file');
    bytes += size;
    if (bytes > limits.unpackedBytes) throw tooLarge('unpacked', limits.unpackedBytes);
    const target = join(folder, path);
    if (type !== 'directory') await makeFolder(dirname(target), folders);
    if (type === 'symlink') {
      // The parser gives null for an empty one, whatever its types say.
      const to = (linkname as string | null) ?? '';
      checkTarget(path, to);
      await symlink(to, target);
      entries.push({ path, kind: 'link', content: to });
    } else if (type === 'file') {
      const executable = (mode & 0o111) !== 0;
      entries.push({
        path,
        kind: executable ? 'executable' : 'file',
        content: await writeFile(entry as AsyncIterable<Uint8Array>, target, executable),
      });
    }
    entry.resume();
  }
  await inParallel(
    [...entries.filter(({ kind }) => kind !== 'link').map(({ path }) => join(folder, path)), ...folders],
    syncToDisk,
  );
  await inParallel([...folders], (each) => chmod(each, 0o555));
  return { entries, bytes };
}

async function makeFolder(path: string, made: Set<string>): Promise<void> {
  if (made.has(path)) return;
  await makeFolder(dirname(path), made);
  await mkdir(path, { mode: 0o755 });
  made.add(path);
}

/** @returns SHA-256 of what was written, in hex */
async function writeFile(content: AsyncIterable<Uint8Array>, path: string, executable: boolean): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path, 'wx', executable ? 0o555 : 0o444);
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

/** fsync(2): the bytes of a file, the names in a folder. */
export async function syncToDisk(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Hands the archive to the decompression until one of them ends. What fails here fails there. After a refusal the source
 * is only left alone: it may be a request that is yet to be answered.
 */
async function feed(archive: AsyncIterable<Uint8Array>, gunzip: Gunzip, limit: number, unpacking: Promise<void>): Promise<void> {
  const stopped = unpacking.then(
    () => undefined,
    () => undefined,
  );
  const source = archive[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const next = await Promise.race([source.next(), stopped]);
      if (next === undefined) return;
      if (next.done) return void gunzip.end();
      bytes += next.value.length;
      if (bytes > limit) throw tooLarge('packed', limit);
      if (!gunzip.write(next.value)) await Promise.race([new Promise((resolve) => gunzip.once('drain', resolve)), stopped]);
    }
  } catch (error) {
    gunzip.destroy(error as Error);
  }
}

async function* upTo(limit: number, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge('unpacked', limit);
    yield chunk;
  }
}

function tooLarge(what: string, limit: number): PrisnError {
  return new PrisnError('too_large', `the bundle is larger than ${Math.round(limit / 2 ** 20)} MB ${what}; ${leaveOut}`);
}

function nameOfType(type: tar.Header['type'] | null): string {
  if (type === 'link') return 'a hard link (tar --hard-dereference packs its content)';
  return type === null ? 'of a type that is not known' : `a ${type.replaceAll('-', ' ')}`;
}

function asPrisnError(error: unknown): unknown {
  if (error instanceof PrisnError) return error;
  const code = errnoOf(error);
  if (code === undefined || code.startsWith('Z_') || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new PrisnError('usage', `the bundle is refused: it is not a whole gzipped tar (${messageOf(error)})`, {
      cause: error,
    });
  return storageFull(error, 'for the bundle');
}

/** @returns the error, or what it is for a user when the disk or the quota is full */
export function storageFull(error: unknown, what: string): unknown {
  if (errnoOf(error) !== 'ENOSPC' && errnoOf(error) !== 'EDQUOT') return error;
  return new PrisnError('storage_full', `no space is left ${what}; free some and try again`, { cause: error });
}
