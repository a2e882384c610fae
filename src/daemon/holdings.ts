/**
 * The engine of the moment, and how a restore puts another one in its place.
 *
 * ```
 * open ──restore: staged, decided──▶ replacing ──▶ open
 *                                       └────────▶ lost: what was restored cannot be opened
 * ```
 * Until it is decided nothing changes, and everything goes on; from then on, for the moment that moving takes, there is no
 * engine, and who asks for it is told to come back.
 */
import type { Readable } from 'node:stream';
import { PrisnError } from '../base/error.ts';
import { backupFormat, backupStream } from './backup.ts';
import { type Engine, type EngineParts, openEngine } from './engine.ts';
import { commitStaged, stageBackup } from './restore.ts';

export class Holdings {
  readonly #parts: EngineParts;
  readonly #version: string;
  readonly #lost: () => void;
  #engine: Engine | undefined;
  #isStaging = false;
  #isClosing = false;
  #replacing: Promise<void> | undefined;

  private constructor(parts: EngineParts, version: string, lost: () => void) {
    this.#parts = parts;
    this.#version = version;
    this.#lost = lost;
  }

  /** @param lost is called when there is no engine any more, and cannot be */
  static async open(parts: EngineParts, version: string, lost: () => void): Promise<Holdings> {
    const holdings = new Holdings(parts, version, lost);
    holdings.#engine = await openEngine(parts);
    return holdings;
  }

  /** @throws PrisnError `unavailable` while there is none */
  get engine(): Engine {
    if (this.#engine) return this.#engine;
    throw new PrisnError('unavailable', 'a backup is being put in place; try again in a moment', { retryAfterS: 2 });
  }

  /** The engine, where there is one. */
  get present(): Engine | undefined {
    return this.#engine;
  }

  get isReplacing(): boolean {
    return this.#replacing !== undefined;
  }

  /** Refuses restores from now on. @returns once one that was decided is done */
  async settle(): Promise<void> {
    this.#isClosing = true;
    await this.#replacing?.catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#engine?.close();
  }

  async verify(): Promise<{ records: number; problems: string[] }> {
    const { store } = this.engine;
    return { records: await store.verify(), problems: [...store.health().problems] };
  }

  backup(withKey: boolean): Readable {
    const { store, bundles, keyring } = this.engine;
    const head = {
      prisn_backup: backupFormat,
      version: this.#version,
      created_at: new Date().toISOString(),
      key_id: keyring.current.id,
    };
    return backupStream({ store, bundles, folders: this.#parts.folders, head, withKey });
  }

  /**
   * Puts a backup in the place of what is stored; what runs ends as interrupted.
   * @returns the number of records, once everything is open again
   * @throws PrisnError as `stageBackup`, and `conflict` when there is something stored and no force
   */
  async restore(archive: AsyncIterable<Uint8Array>, force: boolean): Promise<number> {
    const { engine } = this;
    if (!force && !(await engine.isEmpty()))
      throw new PrisnError('conflict', 'there are deployments, executions or secrets here already; to replace them, add --force');
    if (this.#isStaging) throw new PrisnError('conflict', 'another backup is being restored; wait for it');
    this.#isStaging = true;
    try {
      const records = await stageBackup(archive, this.#parts.folders, engine.keyring, force);
      if (this.#isClosing) throw new PrisnError('unavailable', 'the server stops; nothing was restored', { retryAfterS: 2 });
      this.#replacing = this.#replace(engine);
      await this.#replacing;
      this.#parts.log.info({ records }, 'restored a backup');
      return records;
    } finally {
      this.#isStaging = false;
      this.#replacing = undefined;
    }
  }

  async #replace(engine: Engine): Promise<void> {
    try {
      await commitStaged(this.#parts.folders);
      this.#engine = undefined;
      await engine.close();
      const next = await openEngine(this.#parts);
      this.#engine = next;
      await next.executor.start();
    } catch (error) {
      this.#parts.log.error({ err: error }, 'what was restored cannot be opened');
      // After the answer to whoever asked for it.
      setImmediate(this.#lost);
      throw error;
    }
  }
}
