/**
 * A backup: one gzipped tar of all that is stored, that `tar tzf` can list and `restore.ts` puts back.
 *
 * ```
 * backup.json          format, version, and which keys its secrets are sealed with
 * store.gz             the records of one moment (`src/store/backup.ts`)
 * bundles/ID.tar.gz    code, each as it was uploaded
 * logs/…               output of ended executions
 * data/…               what deployments keep in PRISN_DATA, file by file as it is read
 * key                  what opens the secrets; only where it was asked for
 * ```
 * The records come first: what they name is there when it is read after them, since code and logs stay for a while after
 * their last use. Work folders are left out; they are made anew from bundles.
 */
import { createReadStream, createWriteStream, readdirSync, rmSync } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, pipeline as connect } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import * as tar from 'tar-stream';
import { errnoOf } from '../base/error.ts';
import type { BundleStore } from '../bundles/store.ts';
import type { Store } from '../store/store.ts';
import type { Folders } from './folders.ts';
import { walk } from './walk.ts';

export const backupFormat = 1;

const draftPrefix = 'backup-';

/** The first entry. */
export interface BackupHead {
  readonly prisn_backup: number;
  readonly version: string;
  /** RFC 3339. */
  readonly created_at: string;
  /** Id of the key that seals. */
  readonly key_id: string;
}

export interface BackupSource {
  readonly store: Store;
  readonly bundles: BundleStore;
  readonly folders: Folders;
  readonly head: BackupHead;
  readonly withKey: boolean;
}

/** Destroying the stream ends the reading. */
export function backupStream(source: BackupSource): Readable {
  const archive = tar.pack();
  fill(archive, source).catch((error: Error) => archive.destroy(error));
  return connect(archive, createGzip(), () => {});
}

/** What backups left behind that were cut off with their server. */
export function removeDrafts(root: string): void {
  for (const name of readdirSync(root))
    if (name.startsWith(draftPrefix)) rmSync(join(root, name), { recursive: true, force: true });
}

async function fill(archive: tar.Pack, { store, bundles, folders, head, withKey }: BackupSource): Promise<void> {
  const drafts = await mkdtemp(join(folders.root, draftPrefix));
  try {
    await addText(archive, 'backup.json', `${JSON.stringify(head, null, 2)}\n`);
    const records = join(drafts, 'store.gz');
    await store.backup(records);
    await addFile(archive, 'store.gz', records);
    for (const id of await bundles.list()) {
      const packed = join(drafts, 'bundle.tar.gz');
      if (await packBundle(bundles, id, packed)) await addFile(archive, `bundles/${id}.tar.gz`, packed);
    }
    for (const name of ['logs', 'data'] as const) await addFolder(archive, name, folders[name]);
    if (withKey) await addText(archive, 'key', await readFile(folders.key, 'utf8'));
    archive.finalize();
  } finally {
    await rm(drafts, { recursive: true, force: true });
  }
}

/** @returns false when it is not needed any more, and gone */
async function packBundle(bundles: BundleStore, id: string, target: string): Promise<boolean> {
  if (!bundles.has(id)) return false;
  await pipeline(await bundles.archive(id), createWriteStream(target));
  return true;
}

async function addFolder(archive: tar.Pack, name: string, folder: string): Promise<void> {
  for await (const { path, stats, kind, target } of walk(folder)) {
    const header = { name: `${name}/${path}`, mode: stats.mode & 0o777, mtime: stats.mtime };
    if (kind === 'folder') await addEntry(archive, { ...header, type: 'directory' });
    else if (kind === 'link') await addEntry(archive, { ...header, type: 'symlink', linkname: target ?? '' });
    else await addFile(archive, header.name, join(folder, path), header);
  }
}

/** A file that grows meanwhile is cut to what it was, one that shrinks is filled up with zeros, as tar(1) does. */
async function addFile(archive: tar.Pack, name: string, path: string, header: Partial<tar.Header> = {}): Promise<void> {
  const handle = await open(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (!handle) return;
  const { size } = await handle.stat();
  const entry = archive.entry({ ...header, name, size });
  await pipeline(exactly(size, createReadStream('', { fd: handle, ...(size > 0 && { end: size - 1 }) })), entry);
}

async function* exactly(size: number, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let missing = size;
  for await (const chunk of source) {
    if (missing === 0) return;
    missing -= chunk.length;
    yield chunk;
  }
  for (const zeros = Buffer.alloc(65_536); missing > 0; missing -= zeros.length) yield zeros.subarray(0, missing);
}

function addText(archive: tar.Pack, name: string, text: string): Promise<void> {
  return addEntry(archive, { name, mode: 0o600 }, text);
}

function addEntry(archive: tar.Pack, header: Partial<tar.Header> & Pick<tar.Header, 'name'>, text = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(header, text, (error) => (error ? reject(error) : resolve()));
  });
}
