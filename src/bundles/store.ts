/**
 * Bundles on the server, by the hash of their content.
 *
 * ```
 * <folder>/sha256-…/   a whole bundle, read-only
 * <folder>/tmp-…/      one that comes or goes
 * ```
 * A bundle gets its name by one rename, after its bytes are on the disk, and loses it by one: what has the name of an id
 * is whole, whenever the daemon was killed. What the last daemon left under other names is removed at the start. One
 * process owns the folder; inside it, the check of an age and the rename that follows are one synchronous step, so that an
 * upload is never told of a bundle that is about to go.
 */
import { constants, lstatSync, renameSync, utimesSync } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, mkdtemp, readdir, readlink, rename, symlink, unlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { errnoOf, PrisnError } from '../base/error.ts';
import { removeFolder } from '../base/remove-folder.ts';
import { type BundleLimits, bundleLimits, shown } from './content.ts';
import { inParallel } from './parallel.ts';
import { archiveOfFolder } from './read.ts';
import { storageFull, syncToDisk, type Unpacked, unpack } from './unpack.ts';

const idPattern = /^sha256-[0-9a-f]{64}$/;

export interface Stored extends Unpacked {
  /** False when the same content was there before. */
  readonly isNew: boolean;
}

export class BundleStore {
  readonly #folder: string;
  readonly #limits: BundleLimits;
  readonly #copies = new Map<string, Promise<boolean>>();
  /** Those that were seen: one is there until it is withdrawn here, and every execution asks. */
  readonly #present = new Set<string>();

  private constructor(folder: string, limits: BundleLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  /** @param folder absolute path, made when it is missing; its parent must be there */
  static async open(folder: string, limits = bundleLimits): Promise<BundleStore> {
    await mkdir(folder, { mode: 0o700, recursive: true });
    const store = new BundleStore(folder, limits);
    for (const name of await readdir(folder)) if (name.startsWith('tmp-')) await removeFolder(join(folder, name));
    return store;
  }

  /**
   * Takes a bundle in.
   * @param archive a gzipped tar of a folder
   * @returns once the content is durable
   * @throws PrisnError `usage` for what is no bundle, naming the entry; `too_large`; `storage_full`
   */
  async put(archive: AsyncIterable<Uint8Array>): Promise<Stored> {
    // Somebody may have taken it away.
    await mkdir(this.#folder, { mode: 0o700, recursive: true });
    const temporary = await mkdtemp(join(this.#folder, 'tmp-'));
    try {
      const unpacked = await unpack(archive, temporary, this.#limits);
      const isNew = !this.#renew(unpacked.id) && (await this.#publish(temporary, unpacked.id));
      return { ...unpacked, isNew };
    } finally {
      await removeFolder(temporary);
    }
  }

  /**
   * @returns absolute path of the folder with the content, which nobody may change: see `copyTo`
   * @throws PrisnError `not_found`
   */
  open(id: string): string {
    if (!this.has(id)) throw new PrisnError('not_found', `no bundle ${shown(id)}; upload it again`);
    return this.#path(id);
  }

  /** @returns all of its content, as `put` takes it @throws PrisnError `not_found` */
  async archive(id: string): Promise<Readable> {
    return archiveOfFolder(this.open(id));
  }

  has(id: string): boolean {
    if (this.#present.has(id)) return true;
    if (!idPattern.test(id) || lstatSync(this.#path(id), { throwIfNoEntry: false }) === undefined) return false;
    this.#present.add(id);
    return true;
  }

  /**
   * Makes a copy of the content that may be changed; no file shares its bytes with the store (it may until it is written,
   * where the file system can: reflinks).
   * @param target absolute path; the copy appears there whole
   * @returns false when something was there already; it is left as it is
   * @throws PrisnError `not_found`, `storage_full`
   */
  async copyTo(id: string, target: string): Promise<boolean> {
    const running = this.#copies.get(target);
    if (running !== undefined) return running.then(() => false);
    const copying = copyWhole(this.open(id), target).finally(() => this.#copies.delete(target));
    this.#copies.set(target, copying);
    return copying;
  }

  /** @returns the ids of all bundles, sorted */
  async list(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => idPattern.test(name)).toSorted();
  }

  /** @returns false when there is no such bundle */
  async delete(id: string): Promise<boolean> {
    if (!this.has(id)) return false;
    await removeFolder(this.#withdraw(id));
    return true;
  }

  /**
   * Removes what nothing needs.
   * @param keep ids that are in use
   * @param graceMs what was put more recently stays: its deployment may be on the way
   * @returns the ids that are gone
   */
  async prune(keep: ReadonlySet<string>, graceMs = 3_600_000): Promise<string[]> {
    const gone: string[] = [];
    for (const id of await this.list()) {
      const found = lstatSync(this.#path(id), { throwIfNoEntry: false });
      if (keep.has(id) || found === undefined || Date.now() - found.mtimeMs < graceMs) continue;
      await removeFolder(this.#withdraw(id));
      gone.push(id);
    }
    return gone;
  }

  /** Starts the grace of a bundle that is already there. */
  #renew(id: string): boolean {
    try {
      utimesSync(this.#path(id), new Date(), new Date());
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async #publish(content: string, id: string): Promise<boolean> {
    try {
      await rename(content, this.#path(id));
    } catch (error) {
      // Another upload of the same content was faster.
      if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
    await syncToDisk(this.#folder);
    return true;
  }

  /** @returns the path of the bundle that is none any more */
  #withdraw(id: string): string {
    this.#present.delete(id);
    const path = join(this.#folder, `tmp-${id}-${process.hrtime.bigint()}`);
    renameSync(this.#path(id), path);
    return path;
  }

  #path(id: string): string {
    return join(this.#folder, id);
  }
}

/** @returns the folder and those in it, parents first, none through a link; empty when it is not there */
async function foldersOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return [];
  const below = await Promise.all(entries.filter((entry) => entry.isDirectory()).map(({ name }) => foldersOf(join(path, name))));
  return [path, ...below.flat()];
}

/** What a killed daemon left half copied lies beside the target under a fixed name, and is replaced. */
async function copyWhole(source: string, target: string): Promise<boolean> {
  const partial = `${target}.partial`;
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return false;
  try {
    // A program that ran there may have put a link in its place.
    if (lstatSync(dirname(target), { throwIfNoEntry: false })?.isSymbolicLink()) await unlink(dirname(target));
    await mkdir(dirname(target), { recursive: true });
    await removeFolder(partial);
    for (const folder of await foldersOf(source)) await copyFolder(folder, join(partial, relative(source, folder)));
    await rename(partial, target);
  } catch (error) {
    await removeFolder(partial);
    throw storageFull(error, `to copy the bundle to ${shown(target)}`);
  }
  return true;
}

async function copyFolder(source: string, target: string): Promise<void> {
  await mkdir(target, { mode: 0o755 });
  const entries = (await readdir(source, { withFileTypes: true })).filter((entry) => !entry.isDirectory());
  await inParallel(entries, async (entry) => {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isSymbolicLink()) return symlink(await readlink(from), to);
    await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    await chmod(to, (await lstat(from)).mode & 0o111 ? 0o755 : 0o644);
  });
}
