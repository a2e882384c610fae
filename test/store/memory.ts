/** A second engine, without a disk: it shows that the contract is the port's and not LevelDB's. */
import { PrisnError } from '../../src/base/error.ts';
import { GroupCommit, planGroup, type Write } from '../../src/store/group.ts';
import {
  checkBatch,
  checkKey,
  type Batch,
  type Entry,
  type KeyValue,
  type Range,
  type Stored,
} from '../../src/store/key-value.ts';

export class MemoryStore implements KeyValue {
  readonly #entries = new Map<string, Stored>();
  readonly #commits = new GroupCommit((group) => this.#commit(group));
  #revision = 0;
  #closed = false;

  async get(key: string): Promise<Stored | undefined> {
    return (await this.getMany([key]))[0];
  }

  async getMany(keys: readonly string[]): Promise<(Stored | undefined)[]> {
    this.#checkOpen();
    return keys.map((key) => this.#entries.get(checkKey(key)));
  }

  async write(batch: Batch): Promise<number> {
    checkBatch(batch);
    this.#checkOpen();
    return this.#commits.add(batch, false);
  }

  async *range({ prefix, after = '', before = '\x7f', reverse = false, limit = Infinity }: Range): AsyncGenerator<Entry> {
    this.#checkOpen();
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix) && key > after && key < before).toSorted();
    const entries = (reverse ? keys.reverse() : keys).slice(0, limit).map((key) => ({ key, ...this.#stored(key) }));
    yield* entries;
  }

  async *keys(range: Range): AsyncGenerator<string> {
    for await (const { key } of this.range(range)) yield key;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#commits.idle();
  }

  async #commit(group: readonly Write[]): Promise<void> {
    const batches = group.map(({ batch }) => batch);
    const plan = planGroup(batches, this.#entries, this.#revision);
    this.#revision = plan.revision;
    for (const [key, stored] of plan.changes) {
      if (stored) this.#entries.set(key, stored);
      else this.#entries.delete(key);
    }
    for (const [i, { resolve, reject }] of group.entries()) {
      const outcome = plan.outcomes[i];
      if (typeof outcome === 'number') resolve(outcome);
      else reject(outcome);
    }
  }

  #stored(key: string): Stored {
    const stored = this.#entries.get(key);
    if (!stored) throw new TypeError(key);
    return stored;
  }

  #checkOpen(): void {
    if (this.#closed) throw new PrisnError('unavailable', 'the store is closed');
  }
}
