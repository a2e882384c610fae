/** The ring of group numbers in the database, by which `ledger.ts` notices that a group is missing. */
import { frame, unframe } from './frame.ts';
import { counterValue } from './group.ts';
import { ringSlots, type Ledger, type Mark } from './ledger.ts';
import { failureOf, writeAll, type Database, type Operation } from './level-database.ts';

/** Keys of the port are printable, so these are out of its sight. */
const ringPrefix = '\0ring/';

/** Reads the ring, lets the ledger judge it, and fills its gaps, so that they are found once. */
export async function checkRing(database: Database, ledger: Ledger): Promise<Mark> {
  const slots = new Map<number, Mark>();
  try {
    for await (const [key, framed] of database.iterator({ gte: ringPrefix, lt: `${ringPrefix}:` })) {
      const stored = unframe(key, framed);
      if (stored) slots.set(Number(key.slice(ringPrefix.length)), { group: counterValue(stored), revision: stored.revision });
    }
  } catch (error) {
    throw failureOf(error);
  }
  const { last, missing } = await ledger.check(slots);
  if (missing.length > 0)
    await writeAll(
      database,
      missing.map((group) => ringOperation({ group, revision: 0 })),
      true,
    );
  await ledger.begin(last);
  return last;
}

/** What a group writes of itself, with its changes. */
export function ringOperation({ group, revision }: Mark): Operation {
  const key = ringPrefix + String(group % ringSlots).padStart(5, '0');
  return { key, value: frame(key, { value: Buffer.from(String(group)), revision }) };
}
