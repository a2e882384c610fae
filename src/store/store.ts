/** All that is stored, opened at once and in the right order. */
import { backup, checkRestored, restore } from './backup.ts';
import { Deployments } from './deployments.ts';
import { Executions } from './executions.ts';
import { Idempotency } from './idempotency.ts';
import { migrate } from './keyspace.ts';
import { LevelStore, type Health, type LevelOptions } from './level.ts';
import { rebuildIfNeeded } from './rebuild.ts';
import { Secrets } from './secrets.ts';

export interface Store {
  readonly executions: Executions;
  readonly deployments: Deployments;
  readonly secrets: Secrets;
  readonly idempotency: Idempotency;
  /** Losses and failures that are known by now. */
  health(): Health;
  /** Reads and checks everything; findings are in `health()`. @returns the number of records */
  verify(): Promise<number>;
  /** Writes the store as it is at this moment into a file. @returns the number of records */
  backup(file: string): Promise<number>;
  close(): Promise<void>;
}

/**
 * Opens the store in a directory, or makes an empty one.
 * @throws PrisnError `damaged`, `conflict` (open elsewhere), `unsupported` (of a newer prisn), `storage_full`, `unavailable`
 */
export async function openStore(options: LevelOptions): Promise<Store> {
  const engine = await LevelStore.open(options);
  try {
    await checkRestored(engine);
    await migrate(engine);
    await rebuildIfNeeded(engine, engine.lostWrites);
    const idempotency = new Idempotency(engine);
    return {
      executions: await Executions.open(engine, idempotency),
      deployments: new Deployments(engine),
      secrets: new Secrets(engine),
      idempotency,
      health: () => engine.health(),
      verify: () => engine.verify(),
      backup: (file) => backup(engine, file),
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/**
 * Replaces the store in a directory by a backup; nobody may have it open.
 * @param force also when it has records
 * @returns the number of records
 * @throws PrisnError `damaged` for a file that is no whole backup, `conflict` for a store with records or one that is open
 */
export async function restoreStore(options: LevelOptions, file: string, { force = false } = {}): Promise<number> {
  const engine = await LevelStore.open(options);
  try {
    return await restore(engine, file, { force });
  } finally {
    await engine.close();
  }
}
