/**
 * Environments: what programs need from elsewhere, installed once and used by every later run.
 *
 * ```
 * needs ─▶ recipe.ts ─▶ key ─┬─ <key>.json is there ─▶ its folder                               (a few reads)
 *                            └─ it is not ─▶ lock ─▶ build in <key>.<random> ─▶ <key>.json appears, by rename
 * ```
 * The record `<key>.json` alone makes a folder an environment, and is written last, after what is in the folder was synced. A
 * build has a folder name of its own for good (a venv cannot be moved), so what a killed one left, or still writes, is never in the way
 * of another, never taken for an environment, and removed by the next build of the same key or `clean`.
 *
 * The key is a hash of all that decides what is installed: the manifest or lock with the files that it names, the
 * interpreter and its version, the platform, and the variables that steer the installer. Nothing is ever invalidated.
 *
 * Who uses an environment touches its record, so that those that nobody used for longest are the ones that go when all together
 * are too large. Files are closed for writing, which holds for everybody but root.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, PrisnError } from '../base/error.ts';
import { removeFolder } from '../base/remove-folder.ts';
import type { BaseInterpreter, Needs } from '../model/needs.ts';
import { closeFiles, syncFolder } from './files.ts';
import { lock, lockHolder } from './lock.ts';
import { nodeRecipe } from './node.ts';
import { pythonRecipe } from './python.ts';
import type { Recipe } from './recipe.ts';
import { type EnvironmentRecord, readRecord, recordSuffix, removeRecord, touchRecord, writeRecord } from './record.ts';
import { folderOf, usersOf } from './use.ts';
import { type Run, runTool } from './tool.ts';

export interface EnvironmentOptions {
  /** Absolute path; made when it is needed. */
  readonly root: string;
  readonly buildTimeoutMs: number;
  /** Of all environments together; one that is larger alone is refused. */
  readonly maxBytes: number;
}

export interface EnvironmentRequest {
  readonly needs: Needs;
  readonly interpreter: BaseInterpreter;
  /** What the installer sees: indexes, proxies, credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Only what is locked is installed. */
  readonly frozen: boolean;
}

/** Absolute paths. */
export interface Environment {
  readonly folder: string;
}

/** Hears what a build does; each may be called often. */
export interface Progress {
  /** Once, before anything is built. @param what such as `requirements.txt by pip` */
  readonly begin: (what: string) => void;
  /** Another process builds the same. */
  readonly waiting: (pid: number) => void;
  /** What the installer says. */
  readonly line: (text: string) => void;
  readonly end: (ms: number) => void;
}

export const silent: Progress = { begin: () => {}, waiting: () => {}, line: () => {}, end: () => {} };

/** What `prisn cache list` shows. */
export interface ListedEnvironment extends EnvironmentRecord {
  readonly key: string;
  readonly usedAt: Date;
}

export class Environments {
  readonly #options: EnvironmentOptions;
  /** Builds of this process, by key: whoever needs the same waits for the same. */
  readonly #building = new Map<string, Promise<Environment>>();
  readonly #closing = new AbortController();

  constructor(options: EnvironmentOptions) {
    this.#options = options;
  }

  /** As `findEnvironment`. */
  find(request: EnvironmentRequest): Environment | undefined {
    return findEnvironment(this.#options.root, request);
  }

  /**
   * Builds what is not there yet.
   * @throws PrisnError `dependency` with what failed, why and what to do; `DependencyError` has the installer's last lines
   */
  async prepare(request: EnvironmentRequest, progress: Progress = silent): Promise<Environment> {
    const recipe = recipeOf(request);
    const known = knownIn(this.#options.root, recipe);
    if (known) return known;
    const building =
      this.#building.get(recipe.key) ?? this.#build(recipe, request, progress).finally(() => this.#building.delete(recipe.key));
    this.#building.set(recipe.key, building);
    return building;
  }

  /**
   * The same for a program that will run from another folder than the one it is in now.
   * @returns undefined where that folder is part of the environment
   */
  async prepareAhead(request: EnvironmentRequest): Promise<Environment | undefined> {
    return recipeOf(request).isTied ? undefined : this.prepare(request);
  }

  /** Ends what is being built. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#building.values());
  }

  /** The last used first. */
  async list(): Promise<ListedEnvironment[]> {
    const names = await namesIn(this.#options.root);
    const keys = names.filter((name) => name.endsWith(recordSuffix)).map((name) => name.slice(0, -recordSuffix.length));
    return keys
      .flatMap((key) => {
        const found = readRecord(this.#options.root, key);
        return found ? [{ ...found.record, key, usedAt: found.usedAt }] : [];
      })
      .sort((a, b) => b.usedAt.getTime() - a.usedAt.getTime());
  }

  /**
   * Removes environments, and what killed builds left.
   * @param isMeant which; those that a process uses stay all the same
   */
  async clean(
    isMeant: (environment: ListedEnvironment) => boolean,
  ): Promise<{ removed: ListedEnvironment[]; inUse: ListedEnvironment[] }> {
    const removed: ListedEnvironment[] = [];
    const inUse: ListedEnvironment[] = [];
    for (const environment of (await this.list()).filter(isMeant)) {
      if (usersOf(folderOf(this.#options.root, environment)).length > 0) inUse.push(environment);
      else {
        await this.#remove(environment);
        removed.push(environment);
      }
    }
    await this.#removeLeftovers(() => true);
    return { removed, inUse };
  }

  /** @returns what is not as it was built, a sentence each; such an environment is removed and built anew by its next run */
  async verify(onChecked: (environment: ListedEnvironment, problem: string | undefined) => void): Promise<number> {
    let damaged = 0;
    for (const environment of await this.list()) {
      const problem = await this.#problemOf(environment);
      if (problem !== undefined) {
        damaged++;
        await this.#remove(environment);
      }
      onChecked(environment, problem);
    }
    return damaged;
  }

  async #problemOf(environment: ListedEnvironment): Promise<string | undefined> {
    const folder = folderOf(this.#options.root, environment);
    if (!existsSync(folder)) return 'its folder is gone';
    const { digest } = await closeFiles(folder);
    return digest === environment.digest ? undefined : 'its files are not those that were installed';
  }

  async #build(recipe: Recipe, request: EnvironmentRequest, progress: Progress): Promise<Environment> {
    const { root } = this.#options;
    await makeRoot(root);
    const held = await lock(join(root, `${recipe.key}.lock`), { waiting: progress.waiting, signal: this.#closing.signal });
    try {
      const known = knownIn(root, recipe);
      if (known) return known;
      await this.#removeLeftovers((name) => name.startsWith(`${recipe.key}.`));
      return await this.#install(recipe, request, progress);
    } finally {
      held.release();
    }
  }

  async #install(recipe: Recipe, { env }: EnvironmentRequest, progress: Progress): Promise<Environment> {
    const { root, buildTimeoutMs, maxBytes } = this.#options;
    const name = `${recipe.key}.${randomBytes(6).toString('hex')}`;
    const folder = join(root, name);
    const startedAt = performance.now();
    const deadline = startedAt + buildTimeoutMs;
    const signal = this.#closing.signal;
    const run: Run = (step) =>
      runTool({ ...step, env: step.env ?? env }, { what: recipe.title, deadline, signal, line: progress.line });
    progress.begin(recipe.title);
    try {
      await mkdir(folder, { mode: 0o700 });
      await recipe.build(folder, run);
      const { digest, files, bytes } = await closeFiles(folder);
      if (bytes > maxBytes) throw tooLarge(recipe.title, bytes, maxBytes);
      await syncFolder(folder);
      const { form, source, interpreter } = recipe;
      writeRecord(root, recipe.key, {
        folder: name,
        form,
        source,
        interpreter,
        digest,
        files,
        bytes,
        built_at: new Date().toISOString(),
      });
    } catch (error) {
      await removeFolder(folder).catch(() => undefined);
      throw errnoOf(error) === 'ENOSPC' ? full(recipe.title, error) : error;
    }
    progress.end(performance.now() - startedAt);
    await this.#collect(recipe.key);
    return { folder };
  }

  /** Removes those that were used least recently until the rest is small enough; never the one that was just built. */
  async #collect(built: string): Promise<void> {
    const all = await this.list();
    let bytes = all.reduce((sum, environment) => sum + environment.bytes, 0);
    for (const environment of all.toReversed()) {
      if (bytes <= this.#options.maxBytes) return;
      if (environment.key === built || usersOf(folderOf(this.#options.root, environment)).length > 0) continue;
      await this.#remove(environment).catch(() => undefined);
      bytes -= environment.bytes;
    }
  }

  /** The record goes first: what is removed by half is none. */
  async #remove(environment: ListedEnvironment): Promise<void> {
    const { root } = this.#options;
    removeRecord(root, environment.key);
    await removeFolder(folderOf(root, environment));
  }

  /** Folders that no record names, of builds that nobody is about. */
  async #removeLeftovers(isMeant: (name: string) => boolean): Promise<void> {
    const { root } = this.#options;
    const names = await namesIn(root);
    const named = new Set((await this.list()).map(({ folder }) => folder));
    for (const name of names.filter(isMeant)) {
      const [key = '', rest = ''] = name.split('.', 2);
      if (!/^[0-9a-f]{12}$/.test(rest) || named.has(name)) continue;
      const holder = lockHolder(join(root, `${key}.lock`));
      if (holder !== undefined && holder !== process.pid) continue;
      // What an orphaned installer still writes keeps it from going now, and it goes with the next.
      await removeFolder(join(root, name)).catch(() => undefined);
    }
  }
}

/**
 * @param root absolute path of the folder of environments
 * @returns undefined where it has to be built first @throws PrisnError `dependency` for a manifest that cannot be read
 */
export function findEnvironment(root: string, request: EnvironmentRequest): Environment | undefined {
  return knownIn(root, recipeOf(request));
}

function knownIn(root: string, recipe: Recipe): Environment | undefined {
  const found = readRecord(root, recipe.key);
  if (!found) return undefined;
  const folder = folderOf(root, found.record);
  if (!existsSync(join(folder, recipe.proof))) return undefined;
  touchRecord(root, recipe.key, found.usedAt);
  return { folder };
}

function recipeOf(request: EnvironmentRequest): Recipe {
  const { needs } = request;
  return needs.language === 'python3' ? pythonRecipe(needs, request) : nodeRecipe(needs, request);
}

async function makeRoot(root: string): Promise<void> {
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new PrisnError(
      'dependency',
      `the folder for environments cannot be made: ${(cause as Error).message}; set PRISN_HOME to a folder of your own`,
      { cause },
    );
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`;
}

function tooLarge(what: string, bytes: number, most: number): PrisnError {
  return new PrisnError(
    'dependency',
    `${what}: it takes ${megabytes(bytes)} of disk, and all environments may have ${megabytes(most)}; raise environments_size`,
  );
}

function full(what: string, cause: unknown): PrisnError {
  return new PrisnError('dependency', `${what}: the disk is full; free some, or run prisn cache clean`, { cause });
}
