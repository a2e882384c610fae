/** What every engine of `src/store/key-value.ts` has to do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import { maxValueBytes, type Entry, type KeyValue, type Range } from '../../src/store/key-value.ts';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);
export const durable = { durable: true };

export function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof PrisnError && error.code === expected;
}

export async function collect(store: KeyValue, range: Range): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of store.range(range)) entries.push(entry);
  return entries;
}

async function keys(store: KeyValue, range: Range): Promise<string[]> {
  return (await collect(store, range)).map(({ key }) => key);
}

/** @param use opens an empty store, hands it over, and closes it */
export function keyValueContract(name: string, use: (body: (store: KeyValue) => Promise<void>) => Promise<void>): void {
  const it = (title: string, body: (store: KeyValue) => Promise<void>): void => void test(title, () => use(body));

  describe(`the key-value store ${name}`, () => {
    it('gives back what was written, with a revision that grows', async (store) => {
      const first = await store.write({ put: [{ key: 'a', value: bytes('one') }] }, durable);
      const second = await store.write({ put: [{ key: 'a', value: bytes('two') }] }, { durable: false });
      assert.ok(second > first);
      const stored = await store.get('a');
      assert.deepEqual([text(stored?.value), stored?.revision], ['two', second]);
      assert.equal(await store.get('b'), undefined);
    });

    it('keeps bytes as they are, up to 512 kB, and refuses more', async (store) => {
      const value = crypto.getRandomValues(new Uint8Array(65_536));
      const large = new Uint8Array(maxValueBytes).fill(7);
      await store.write(
        {
          put: [
            { key: 'random', value },
            { key: 'large', value: large },
            { key: 'empty', value: bytes('') },
          ],
        },
        durable,
      );
      const [random, full, empty] = await store.getMany(['random', 'large', 'empty']);
      assert.deepEqual(Buffer.from(random?.value ?? []), Buffer.from(value));
      assert.equal(full?.value.length, maxValueBytes);
      assert.equal(empty?.value.length, 0);
      const tooLarge = {
        put: [
          { key: 'ok', value: bytes('1') },
          { key: 'x', value: new Uint8Array(maxValueBytes + 1) },
        ],
      };
      await assert.rejects(store.write(tooLarge, durable), code('too_large'));
      assert.equal(await store.get('ok'), undefined);
    });

    it('gives the keys of a range alone', async (store) => {
      await store.write({ put: ['a/1', 'a/2', 'a/3', 'b/1'].map((key) => ({ key, value: bytes(key) })) }, durable);
      const found: string[] = [];
      for await (const key of store.keys({ prefix: 'a/', after: 'a/1', reverse: true })) found.push(key);
      assert.deepEqual(found, ['a/3', 'a/2']);
    });

    it('refuses keys that are not printable', async (store) => {
      for (const key of ['', 'a b', 'ä', 'a\n', '\0ring/00001', 'x'.repeat(513)])
        await assert.rejects(store.write({ put: [{ key, value: bytes('') }] }, durable), TypeError);
    });

    it('writes nothing of a batch whose condition fails', async (store) => {
      const revision = await store.write({ put: [{ key: 'a', value: bytes('1') }] }, durable);
      const attempt = (expected: number | null): Promise<number> =>
        store.write(
          {
            expect: [{ key: 'a', revision: expected }],
            put: [
              { key: 'a', value: bytes('2') },
              { key: 'b', value: bytes('2') },
            ],
            add: [{ key: 'n', by: 1 }],
          },
          durable,
        );
      await assert.rejects(attempt(null), code('conflict'));
      await assert.rejects(attempt(revision + 1), code('conflict'));
      assert.deepEqual(await keys(store, { prefix: '' }), ['a']);
      await attempt(revision);
      assert.deepEqual(await keys(store, { prefix: '' }), ['a', 'b', 'n']);
      await assert.rejects(store.write({ expect: [{ key: 'gone', revision }] }, durable), code('conflict'));
    });

    it('lets one of many writers with the same condition win', async (store) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, (_, i) =>
          store.write({ expect: [{ key: 'once', revision: null }], put: [{ key: 'once', value: bytes(String(i)) }] }, durable),
        ),
      );
      const winners = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
      assert.equal(winners.length, 1);
      assert.equal(text((await store.get('once'))?.value), String(winners[0]));
    });

    it('counts for all writers, and leaves out a counter at zero', async (store) => {
      await Promise.all(
        Array.from({ length: 100 }, () =>
          store.write(
            {
              add: [
                { key: 'n', by: 3 },
                { key: 'm', by: -1 },
              ],
            },
            durable,
          ),
        ),
      );
      assert.deepEqual(
        (await store.getMany(['n', 'm'])).map((stored) => text(stored?.value)),
        ['300', '-100'],
      );
      await store.write({ add: [{ key: 'n', by: -300 }] }, durable);
      assert.equal(await store.get('n'), undefined);
    });

    it('applies batches in the order of the calls', async (store) => {
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          store.write({ put: [{ key: 'last', value: bytes(String(i)) }] }, { durable: i % 2 === 0 }),
        ),
      );
      assert.equal(text((await store.get('last'))?.value), '49');
      await Promise.all([
        store.write({ put: [{ key: 'last', value: bytes('') }] }, durable),
        store.write({ delete: ['last'] }, durable),
      ]);
      assert.equal(await store.get('last'), undefined);
    });

    it('ranges by prefix, bounds, direction and limit', async (store) => {
      const all = ['a/1', 'a/2', 'a/3', 'a0', 'b/1', 'a/~'];
      await store.write({ put: all.map((key) => ({ key, value: bytes(key) })) }, durable);
      assert.deepEqual(await keys(store, { prefix: 'a/' }), ['a/1', 'a/2', 'a/3', 'a/~']);
      assert.deepEqual(await keys(store, { prefix: 'a/', reverse: true, limit: 2 }), ['a/~', 'a/3']);
      assert.deepEqual(await keys(store, { prefix: 'a/', after: 'a/1', before: 'a/3' }), ['a/2']);
      assert.deepEqual(await keys(store, { prefix: 'a/', after: 'A', before: 'z' }), ['a/1', 'a/2', 'a/3', 'a/~']);
      assert.deepEqual(await keys(store, { prefix: 'a/', after: 'b' }), []);
      assert.deepEqual(await keys(store, { prefix: 'a/', limit: 0 }), []);
      assert.deepEqual(await keys(store, { prefix: '' }), all.toSorted());
      const [entry] = await collect(store, { prefix: 'b' });
      assert.equal(text(entry?.value), 'b/1');
    });

    it('shows a range as the store was when it began', async (store) => {
      await store.write({ put: Array.from({ length: 3000 }, (_, i) => ({ key: `k${i + 1000}`, value: bytes('old') })) }, durable);
      let seen = 0;
      for await (const { value } of store.range({ prefix: 'k' })) {
        if (seen++ === 0)
          await store.write(
            {
              put: [
                { key: 'k3999', value: bytes('new') },
                { key: 'kk', value: bytes('new') },
              ],
            },
            durable,
          );
        assert.equal(text(value), 'old');
      }
      assert.equal(seen, 3000);
    });

    it('refuses writes after it was closed', async (store) => {
      await store.close();
      await assert.rejects(store.write({ put: [{ key: 'a', value: bytes('') }] }, durable), code('unavailable'));
      await assert.rejects(store.get('a'), code('unavailable'));
    });
  });
}
