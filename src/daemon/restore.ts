/**
 * Puts a backup in the place of what is stored.
 *
 * ```
 * restore.partial/   the archive is unpacked and checked here: nothing else has changed, and a start removes it
 *      │ one rename
 * restore.ready/     from here on it is done: each part moves to its place, and a start finishes what was interrupted
 * ```
 * The archive may be anybody's: names that lead out are refused, and links are made after all files, so that none is written
 * through one. Code goes through the same door as an upload, which says whether it is what its name promises.
 */
import { createWriteStream, existsSync, renameSync } from 'node:fs';
import { mkdir, rm, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import * as tar from 'tar-stream';
import { errnoOf, messageOf, PrisnError } from '../base/error.ts';
import { removeFolder } from '../base/remove-folder.ts';
import { BundleStore } from '../bundles/store.ts';
import { syncToDisk } from '../bundles/unpack.ts';
import { Keyring } from '../secrets/keyring.ts';
import { openStore, restoreStore } from '../store/store.ts';
import { backupFormat, type BackupHead } from './backup.ts';
import { type Folders, foldersIn, makeFolders } from './folders.ts';

/** What a backup replaces; `work` comes back empty. */
const parts = ['store', 'bundles', 'logs', 'work', 'data', 'key'] as const;

const unlimited = { packedBytes: Number.MAX_SAFE_INTEGER, unpackedBytes: Number.MAX_SAFE_INTEGER, entries: 1_000_000 };

type Entry = tar.ExtractEvents['entry'][1] & AsyncIterable<Uint8Array>;
type Header = Entry['header'];
type Content = AsyncGenerator<Uint8Array, void, undefined>;

/**
 * Unpacks and checks a backup beside what is stored, which stays as it is.
 * @param keyring of this server: the backup's secrets must be its, unless the backup has its key or `force` says so
 * @returns the number of records, once `commitStaged` may be called
 * @throws PrisnError `usage` for what is no whole backup, `storage_full`, `unsupported` for one of a newer prisn
 */
export async function stageBackup(
  archive: AsyncIterable<Uint8Array>,
  { root }: Folders,
  keyring: Keyring,
  force: boolean,
): Promise<number> {
  const staging = join(root, 'restore.partial');
  await removeFolder(staging);
  await mkdir(staging, { mode: 0o700 });
  try {
    const folders = foldersIn(staging);
    makeFolders(folders);
    const head = await unpackBackup(archive, folders);
    await checkKey(head, folders, keyring, force);
    const records = await restoreStore({ directory: folders.store }, join(staging, 'store.gz'));
    await rm(join(staging, 'store.gz'));
    await (await openStore({ directory: folders.store })).close();
    await syncToDisk(staging);
    return records;
  } catch (error) {
    await removeFolder(staging);
    throw asRefusal(error);
  }
}

/** Decides for a staged backup: from here on a start finishes what is interrupted. */
export async function commitStaged({ root }: Folders): Promise<void> {
  renameSync(join(root, 'restore.partial'), join(root, 'restore.ready'));
  await syncToDisk(root);
}

/**
 * Moves a backup that was decided for to its place, or finishes a move that was interrupted; without one there is nothing to do. To be
 * called while nothing of the data directory is open.
 * @returns whether there was one
 */
export async function swapRestored({ root }: Folders): Promise<boolean> {
  await removeFolder(join(root, 'restore.partial'));
  const ready = join(root, 'restore.ready');
  const replaced = join(root, 'restore.replaced');
  if (!existsSync(ready)) {
    await removeFolder(replaced);
    return false;
  }
  await mkdir(replaced, { recursive: true, mode: 0o700 });
  for (const part of parts) {
    if (!existsSync(join(ready, part))) continue;
    await removeFolder(join(replaced, part));
    if (existsSync(join(root, part))) renameSync(join(root, part), join(replaced, part));
    renameSync(join(ready, part), join(root, part));
  }
  await syncToDisk(root);
  await removeFolder(ready);
  await removeFolder(replaced);
  return true;
}

async function unpackBackup(archive: AsyncIterable<Uint8Array>, folders: Folders): Promise<BackupHead> {
  const bundles = await BundleStore.open(folders.bundles, unlimited);
  const extract = tar.extract();
  // The first entry is lost unless it is asked for in this tick.
  const unpacking = pipeline(archive, createGunzip(), extract);
  const failed = unpacking.then(() => new Promise<never>(() => {}));
  failed.catch(() => undefined);
  const links: { path: string; target: string }[] = [];
  let head: BackupHead | undefined;
  try {
    for await (const entry of extract as AsyncIterable<Entry>) {
      const content = contentOf(entry, failed);
      if (head) await takeEntry(entry.header, content, folders, bundles, links);
      else head = await readHead(entry.header, content);
      // Also where nothing of it was wanted: the next one comes after its end.
      entry.resume();
    }
  } catch (error) {
    extract.destroy();
    throw error;
  }
  await unpacking;
  for (const { path, target } of links) await symlink(target, path);
  if (!head || !existsSync(join(folders.root, 'store.gz'))) throw refused('it has no records');
  return head;
}

/** An entry that is cut off does not tell its reader, who would wait for ever. */
async function* contentOf(entry: AsyncIterable<Uint8Array>, failed: Promise<never>): Content {
  const chunks = entry[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await Promise.race([chunks.next(), failed]);
    if (done) return;
    yield value;
  }
}

async function readHead({ name, size }: Header, content: Content): Promise<BackupHead> {
  if (name !== 'backup.json' || size > 65_536) throw refused('it does not begin as one');
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  const head = JSON.parse(Buffer.concat(chunks).toString()) as Partial<BackupHead> | null;
  if (!isHead(head)) throw refused('it does not begin as one');
  if (head.prisn_backup > backupFormat)
    throw new PrisnError('unsupported', `the backup is of prisn ${head.version}, which is newer; update prisn here first`);
  return head;
}

function isHead(head: Partial<BackupHead> | null): head is BackupHead {
  const format = head?.prisn_backup;
  return typeof format === 'number' && Number.isInteger(format) && format >= 1;
}

async function takeEntry(
  { name, type, mode, linkname, mtime }: Header,
  content: Content,
  folders: Folders,
  bundles: BundleStore,
  links: { path: string; target: string }[],
): Promise<void> {
  const bundle = /^bundles\/(?<id>sha256-[0-9a-f]{64})\.tar\.gz$/.exec(name)?.groups?.['id'];
  if (bundle !== undefined) {
    const { id } = await bundles.put(content);
    if (id !== bundle) throw refused(`the bundle ${bundle} is not what its name says`);
    return;
  }
  const isOwn = name === 'store.gz' || name === 'key';
  if (!isOwn && !isBelow(name, ['logs', 'data'])) throw refused(`nothing like ${JSON.stringify(name)} belongs into one`);
  const path = join(folders.root, name);
  if (type === 'directory') await mkdir(path, { recursive: true, mode: mode | 0o700 });
  else if (type === 'symlink') links.push({ path, target: linkname ?? '' });
  else if (type === 'file') {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await pipeline(content, createWriteStream(path, { flags: 'wx', mode: name === 'key' ? 0o600 : mode, flush: true }));
    if (mtime) await utimes(path, mtime, mtime);
  } else throw refused(`${JSON.stringify(name)} is neither file, folder nor link`);
}

function isBelow(name: string, tops: readonly string[]): boolean {
  const [top = '', ...below] = name.replace(/\/$/, '').split('/');
  return (
    tops.includes(top) &&
    below.length > 0 &&
    below.every((segment) => !['', '.', '..'].includes(segment) && !segment.includes('\0'))
  );
}

async function checkKey(head: BackupHead, { key }: Folders, keyring: Keyring, force: boolean): Promise<void> {
  if (existsSync(key)) await Keyring.open(key);
  else if (!keyring.find(head.key_id) && !force)
    throw new PrisnError(
      'conflict',
      `the secrets of the backup are sealed with the key ${head.key_id}, which is not here: put that server's key file in place of ` +
        'the one here, take a backup made with --with-key, or give the secrets up with --force',
    );
}

function refused(why: string): PrisnError {
  return new PrisnError('usage', `this is no whole backup of prisn: ${why}; nothing was changed`);
}

function asRefusal(error: unknown): unknown {
  const code = errnoOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new PrisnError('storage_full', 'no space is left to unpack the backup; nothing was changed', { cause: error });
  const isOwn = error instanceof PrisnError && error.code !== 'damaged';
  return isOwn ? error : refused(messageOf(error));
}
