/** File operations at once: as many as libuv has threads for, with one waiting behind each. */
const width = 8;

/** Awaits `work` for every item, a few at a time. The first error is thrown once no work is under way any more. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: width }, async () => {
    for (const item of queue) await work(item);
  });
  const failed = (await Promise.allSettled(workers)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
