/**
 * The embedded engine: LevelDB by the package `level`.
 *
 * ```
 * open ──▶ failed ──▶ open       a write failed: LevelDB refuses all further ones until it is opened again, so that is
 *   └────────┴──▶ closed         tried before the next write and once a second, as soon as the disk takes bytes again
 * ```
 * While `failed`, what is there can still be read. What LevelDB does not notice about its files, `ledger.ts` does.
 */
import { join } from 'node:path';
import { PrisnError } from '../base/error.ts';
import { frame, unframe } from './frame.ts';
import { GroupCommit, planGroup, type Plan, type Present, type Write } from './group.ts';
import {
  checkBatch,
  checkKey,
  type Batch,
  type Entry,
  type KeyValue,
  type Range,
  type Stored,
  type WriteOptions,
} from './key-value.ts';
import { bytesOfTables, failureOf, openDatabase, probeDisk, writeAll, type Database, type Operation } from './level-database.ts';
import { Ledger, droppedByRecovery, type Mark } from './ledger.ts';
import { checkRing, ringOperation } from './ring.ts';
import { verify } from './verify.ts';

const firstKey = '!';
const retryMs = 1000;
/** Tables smaller than this are verified at every start: it takes a tenth of a second. */
const verifiedAtOpenBytes = 4 * 2 ** 20;
const step = 1000;
const chunkBytes = 2 ** 18;

export interface LevelOptions {
  /** Absolute path; made when missing. */
  readonly directory: string;
  /** `false` leaves out every sync, to measure what they cost and to prove that tests see when they are missing. */
  readonly sync?: boolean;
}

export interface Health {
  readonly ok: boolean;
  /** One sentence each. */
  readonly problems: readonly string[];
}

export class LevelStore implements KeyValue {
  readonly #directory: string;
  readonly #sync: boolean;
  readonly #ledger: Ledger;
  readonly #commits = new GroupCommit((group) => this.#commit(group));
  readonly #present: Present = { get: (key, as) => this.#getNow(key, as === 'counter') };
  #database: Database;
  #mark: Mark;
  /** What made the last write fail; while it is set, the state is `failed`. */
  #failure: PrisnError | undefined;
  #closing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #unsynced = false;
  #syncs = 0;

  private constructor({ directory, sync = true }: LevelOptions, ledger: Ledger, database: Database, mark: Mark) {
    this.#directory = directory;
    this.#sync = sync;
    this.#ledger = ledger;
    this.#database = database;
    this.#mark = mark;
  }

  /**
   * Opens the store, or makes an empty one. What is found to be lost is in `health()`.
   * @throws PrisnError `damaged` when it cannot be opened for its damage, `conflict` when another process has it open
   */
  static async open(options: LevelOptions): Promise<LevelStore> {
    const path = join(options.directory, 'level');
    const opened: { close(): Promise<void> }[] = [];
    try {
      const ledger = await Ledger.open(options.directory);
      opened.unshift(ledger);
      ledger.checkFiles(path);
      const database = await openDatabase(path);
      opened.unshift(database);
      for (const finding of await droppedByRecovery(path)) await ledger.reportLoss(`LevelDB dropped records: ${finding}`);
      const store = new LevelStore(options, ledger, database, await checkRing(database, ledger));
      if (bytesOfTables(path) < verifiedAtOpenBytes) await store.verify();
      return store;
    } catch (error) {
      for (const one of opened) await one.close();
      throw failureOf(error);
    }
  }

  /** Whether writes were found missing when it was opened. */
  get lostWrites(): boolean {
    return this.#ledger.lostWrites;
  }

  /** Synced groups since the start. */
  get syncs(): number {
    return this.#syncs;
  }

  health(): Health {
    const damage = this.#ledger.problems.map(
      (problem) => `${problem}; restore a backup, or delete ${join(this.#directory, 'damage.txt')} and restart to accept it`,
    );
    const problems = this.#failure ? [...damage, this.#failure.message] : damage;
    return { ok: problems.length === 0, problems };
  }

  async get(key: string): Promise<Stored | undefined> {
    const [stored] = await this.getMany([key]);
    return stored;
  }

  async getMany(keys: readonly string[], { skipDamaged = false } = {}): Promise<(Stored | undefined)[]> {
    for (const key of keys) checkKey(key);
    const found = await this.#read(() => this.#database.getMany([...keys]));
    return found.map((framed, i) => framed && this.#unframe(keys[i] ?? '', framed, skipDamaged));
  }

  async write(batch: Batch, { durable, lazy = false }: WriteOptions): Promise<number> {
    checkBatch(batch);
    if (this.#closing) throw new PrisnError('unavailable', 'the store is closed');
    return this.#commits.add(batch, durable, lazy);
  }

  async *range(range: Range): AsyncGenerator<Entry> {
    const iterator = await this.#read(async () => this.#database.iterator(boundsOf(range)));
    for await (const [key, framed] of this.#stepsOf(iterator)) {
      const stored = this.#unframe(key, framed, range.skipDamaged === true);
      if (stored) yield { key, ...stored };
    }
  }

  async *keys(range: Range): AsyncGenerator<string> {
    yield* this.#stepsOf(await this.#read(async () => this.#database.keys(boundsOf(range))));
  }

  /**
   * Reads everything and checks it; what is wrong is in `health()` from then on.
   * @returns the number of records read
   */
  verify(): Promise<number> {
    return verify(this.#database, this.#ledger);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#retry);
    await this.#commits.idle();
    if (this.#unsynced && !this.#failure) await this.#commits.add({}, true).catch(() => undefined);
    await this.#database.close();
    await this.#ledger.close();
  }

  /** Settles every write of the group, and never rejects. */
  async #commit(group: readonly Write[]): Promise<void> {
    const batches = group.map(({ batch }) => batch);
    try {
      if (this.#failure) await this.#reopen();
      const plan = planGroup(batches, this.#present, this.#mark.revision);
      const durable = group.some((write, i) => write.durable && typeof plan.outcomes[i] === 'number');
      if (plan.outcomes.some((outcome) => typeof outcome === 'number')) await this.#apply(plan, durable);
      for (const [i, { resolve, reject }] of group.entries()) {
        const outcome = plan.outcomes[i];
        if (typeof outcome === 'number') resolve(outcome);
        else reject(outcome);
      }
    } catch (error) {
      const failure = failureOf(error);
      // A damaged record is the trouble only of those who need it.
      if (failure.code === 'damaged' && group.length > 1) for (const write of group) await this.#commit([write]);
      else for (const { reject } of group) reject(failure);
    }
  }

  /**
   * What decides about a write was written a moment ago, so it is in memory: to ask a thread for it would cost ten times as
   * much. A condition on a damaged record cannot be judged; a damaged counter begins anew, since nothing could end otherwise.
   */
  #getNow(key: string, skipDamaged: boolean): Stored | undefined {
    const framed = this.#database.getSync(key);
    return framed && this.#unframe(key, framed, skipDamaged);
  }

  async #apply({ changes, revision }: Plan, durable: boolean): Promise<void> {
    const mark = { group: this.#mark.group + 1, revision };
    const sync = durable && this.#sync;
    try {
      await writeAll(this.#database, operationsOf(mark, changes), sync);
    } catch (error) {
      const failure = failureOf(error);
      this.#fail(failure);
      throw failure;
    }
    this.#mark = mark;
    this.#unsynced = !sync;
    if (!sync) return;
    this.#syncs++;
    this.#ledger.note(mark);
  }

  #fail(failure: PrisnError): void {
    this.#failure = failure;
    // An empty write passes through the queue, so that nothing else is at the database while it is opened again.
    this.#retry ??= setInterval(() => void this.#commits.add({}, true).catch(() => undefined), retryMs).unref();
  }

  /** @throws what keeps the disk from being written */
  async #reopen(): Promise<void> {
    const path = join(this.#directory, 'level');
    await probeDisk(join(this.#directory, 'probe'));
    await this.#database.close();
    this.#database = await openDatabase(path);
    this.#mark = await checkRing(this.#database, this.#ledger);
    this.#failure = undefined;
    clearInterval(this.#retry);
    this.#retry = undefined;
  }

  async *#stepsOf<T>(iterator: { nextv(size: number): Promise<T[]>; close(): Promise<void> }): AsyncGenerator<T> {
    try {
      for (;;) {
        const found = await this.#read(() => iterator.nextv(step));
        if (found.length === 0) return;
        yield* found;
      }
    } finally {
      await iterator.close();
    }
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw failureOf(error);
    }
  }

  #unframe(key: string, framed: Buffer, skipDamaged: boolean): Stored | undefined {
    const stored = unframe(key, framed);
    if (stored) return stored;
    void this.#ledger.report(`the record ${JSON.stringify(key)} is damaged`);
    if (skipDamaged) return undefined;
    throw new PrisnError('damaged', `the stored record ${key} is damaged; restore a backup`);
  }
}

function* operationsOf(mark: Mark, changes: Plan['changes']): Generator<Operation> {
  yield ringOperation(mark);
  for (const [key, stored] of changes) yield { key, value: stored && frame(key, stored) };
}

function boundsOf({ prefix, after = '', before, reverse = false, limit = -1 }: Range) {
  const begin = prefix || firstKey;
  const first = after >= begin ? { gt: after } : { gte: begin };
  const end = before !== undefined && before < `${prefix}\x7f` ? before : `${prefix}\x7f`;
  return { ...first, lt: end, reverse, limit, highWaterMarkBytes: chunkBytes };
}
