/** Reads a whole database and checks it. */
import { messageOf } from '../base/error.ts';
import { unframe } from './frame.ts';
import type { Ledger } from './ledger.ts';
import { failureOf, iteratorFinds, type Database } from './level-database.ts';

const step = 1000;
const chunkBytes = 2 ** 18;

/**
 * Checksums, and whether what a range shows is found by its key too (LevelDB looks up by index and filter, which can be
 * damaged on their own). What is wrong is told to the ledger.
 * @returns the number of records read
 */
export async function verify(database: Database, ledger: Pick<Ledger, 'report'>): Promise<number> {
  let records = 0;
  const iterator = database.iterator({ fillCache: false, highWaterMarkBytes: chunkBytes });
  try {
    for (;;) {
      const entries = await iterator.nextv(step);
      if (entries.length === 0) return records;
      records += entries.length;
      const found = await database.getMany(entries.map(([key]) => key));
      for (const [i, [key, framed]] of entries.entries()) {
        if (!unframe(key, framed)) await ledger.report(`the record ${JSON.stringify(key)} is damaged`);
        // It may have been deleted since the iterator began.
        else if (!found[i] && (await iteratorFinds(database, key)))
          await ledger.report(`the record ${key} is there but is not found by its key`);
      }
    }
  } catch (error) {
    const failure = failureOf(error);
    if (failure.code !== 'damaged') throw failure;
    await ledger.report(`reading stopped after ${records} records: ${messageOf(error)}`);
    return records;
  } finally {
    await iterator.close();
  }
}
