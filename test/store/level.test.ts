import assert from 'node:assert/strict';
import { copyFile, cp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LevelStore } from '../../src/store/level.ts';
import { bytes, code, collect, durable, text } from './contract.ts';
import { inScratch } from './scratch.ts';

const lazy = { durable: false };

function record(i: number): { key: string; value: Uint8Array } {
  return { key: `record/${String(i).padStart(6, '0')}`, value: bytes(`${i}:${'x'.repeat(200)}`) };
}

describe('group commit', () => {
  test('64 concurrent durable writers share a few syncs', () =>
    inScratch(async (directory) => {
      const store = await LevelStore.open({ directory });
      const writer = async (i: number): Promise<void> => {
        for (let j = 0; j < 10; j++) await store.write({ put: [record(i * 10 + j)] }, durable);
      };
      await Promise.all(Array.from({ length: 64 }, (_, i) => writer(i)));
      assert.ok(store.syncs <= 64, `${store.syncs} syncs for 640 writes`);
      assert.equal((await collect(store, { prefix: 'record/' })).length, 640);
      await store.close();
    }));

  test('writes of one turn share one sync', () =>
    inScratch(async (directory) => {
      const store = await LevelStore.open({ directory });
      await Promise.all(Array.from({ length: 64 }, (_, i) => store.write({ put: [record(i)] }, durable)));
      assert.equal(store.syncs, 1);
      await store.close();
    }));

  test('a lone durable writer gets a sync each time, and one that is not durable none', () =>
    inScratch(async (directory) => {
      const store = await LevelStore.open({ directory });
      for (let i = 0; i < 5; i++) await store.write({ put: [record(i)] }, durable);
      assert.equal(store.syncs, 5);
      for (let i = 0; i < 5; i++) await store.write({ put: [record(i)] }, lazy);
      assert.equal(store.syncs, 5);
      await store.close();
      assert.equal(store.syncs, 6, 'closing syncs what was not');
    }));

  test('writers beyond what may wait for the disk are refused as busy, and the others are served', () =>
    inScratch(async (directory) => {
      const store = await LevelStore.open({ directory, sync: false });
      const value = new Uint8Array(500_000);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 200 }, (_, i) => store.write({ put: [{ key: `k${i}`, value }] }, durable)),
      );
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      assert.ok(refused.length > 0 && refused.every(({ reason }) => code('busy')(reason)));
      assert.equal((await collect(store, { prefix: 'k' })).length, 200 - refused.length);
      await store.close();
    }));
});

describe('opening again', () => {
  test('finds everything, healthy, and goes on with higher revisions', () =>
    inScratch(async (directory) => {
      let last = 0;
      for (let round = 0; round < 3; round++) {
        const store = await LevelStore.open({ directory });
        assert.deepEqual(store.health(), { ok: true, problems: [] });
        assert.equal((await collect(store, { prefix: 'record/' })).length, round * 10);
        for (let i = 0; i < 10; i++) {
          const revision = await store.write({ put: [record(round * 10 + i)] }, durable);
          assert.ok(revision > last);
          last = revision;
        }
        await store.close();
      }
    }));

  test('refuses a store that is open already', () =>
    inScratch(async (directory) => {
      const store = await LevelStore.open({ directory });
      await assert.rejects(LevelStore.open({ directory }), code('conflict'));
      await store.close();
    }));
});

describe('damage', () => {
  const count = 400;

  /** A store with tables, as reopening makes them, and a log. */
  async function fill(directory: string): Promise<void> {
    for (const half of [0, 1]) {
      const store = await LevelStore.open({ directory });
      for (let i = 0; i < count / 2; i += 10)
        await store.write({ put: Array.from({ length: 10 }, (_, j) => record((half * count) / 2 + i + j)) }, durable);
      await store.close();
    }
  }

  /** What a user can see: it is refused, or reports a problem, or nothing is missing and nothing is wrong. */
  async function look(directory: string): Promise<'refused' | 'reported' | 'whole' | 'silent'> {
    let store: LevelStore;
    try {
      store = await LevelStore.open({ directory });
    } catch (error) {
      assert.ok(code('damaged')(error) || code('unavailable')(error), String(error));
      return 'refused';
    }
    try {
      await store.verify();
      if (!store.health().ok) return 'reported';
      const expected = Array.from({ length: count }, (_, i) => record(i));
      const found = await store.getMany(expected.map(({ key }) => key));
      const whole = expected.every(({ value }, i) => text(found[i]?.value) === text(value));
      return whole && (await collect(store, { prefix: 'record/' })).length === count ? 'whole' : 'silent';
    } finally {
      await store.close();
    }
  }

  async function filesOf(directory: string): Promise<string[]> {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
  }

  test('a flipped byte anywhere in any file is refused, reported, or without effect', () =>
    inScratch(async (scratch) => {
      const [whole, damaged] = [join(scratch, 'whole'), join(scratch, 'damaged')];
      await fill(whole);
      const seen: Record<string, number> = {};
      for (const name of await filesOf(whole)) {
        const { size } = await stat(join(whole, name));
        const places = 7;
        for (let i = 0; i < places && i < size; i++) {
          const at = Math.floor(((size - 1) * i) / (places - 1));
          await rm(damaged, { recursive: true, force: true });
          await cp(whole, damaged, { recursive: true });
          const content = await readFile(join(damaged, name));
          content[at] = (content[at] ?? 0) ^ 0x41;
          await writeFile(join(damaged, name), content);
          const outcome = await look(damaged);
          assert.notEqual(outcome, 'silent', `byte ${at} of ${name}`);
          const kind = `${name.replace(/\d+/, 'N')} ${outcome}`;
          seen[kind] = (seen[kind] ?? 0) + 1;
        }
      }
      // The places that hold records do not go unnoticed.
      assert.ok((seen['level/N.log reported'] ?? 0) >= 5, JSON.stringify(seen));
      assert.ok((seen['level/N.ldb reported'] ?? 0) + (seen['level/N.ldb refused'] ?? 0) >= 4, JSON.stringify(seen));
    }));

  test('a deleted file is refused or reported, unless nothing was in it', () =>
    inScratch(async (scratch) => {
      const [whole, damaged] = [join(scratch, 'whole'), join(scratch, 'damaged')];
      await fill(whole);
      for (const name of [...(await filesOf(whole)), 'level']) {
        await rm(damaged, { recursive: true, force: true });
        await cp(whole, damaged, { recursive: true });
        await rm(join(damaged, name), { recursive: true });
        const outcome = await look(damaged);
        const harmless = /LOG|LOCK/.test(name);
        assert.ok(harmless ? outcome === 'whole' : outcome === 'refused' || outcome === 'reported', `${name}: ${outcome}`);
      }
    }));

  test('a missing CURRENT is refused before LevelDB takes the store for a new one and deletes the rest', () =>
    inScratch(async (directory) => {
      await fill(directory);
      const current = join(directory, 'level', 'CURRENT');
      const content = await readFile(current);
      await rm(current);
      for (const _ of [1, 2]) await assert.rejects(LevelStore.open({ directory }), code('damaged'));
      await writeFile(current, content);
      assert.equal(await look(directory), 'whole');
    }));

  test('what LevelDB dropped from its log is reported with its own words', () =>
    inScratch(async (directory) => {
      await fill(directory);
      const log = join(directory, (await filesOf(directory)).find((name) => name.endsWith('.log')) ?? '');
      const content = await readFile(log);
      content[100] = (content[100] ?? 0) ^ 1;
      await writeFile(log, content);
      const store = await LevelStore.open({ directory });
      assert.match(
        store.health().problems.join(),
        /LevelDB dropped records: \d+\.log: dropping \d+ bytes; Corruption: checksum mismatch/,
      );
      assert.equal(store.lostWrites, true);
      await store.close();
    }));

  test('a log that lost its end is reported, also at the start after', () =>
    inScratch(async (directory) => {
      await fill(directory);
      const log = (await filesOf(directory)).find((name) => name.endsWith('.log')) ?? '';
      await truncate(join(directory, log), (await stat(join(directory, log))).size - 300);
      assert.equal(await look(directory), 'reported');
      assert.equal(await look(directory), 'reported');
      await rm(join(directory, 'damage.txt'));
      assert.equal(await look(directory), 'silent', 'the operator accepted the loss');
    }));

  test('a log that was swapped for an older state of itself is reported', () =>
    inScratch(async (directory) => {
      const store = await LevelStore.open({ directory });
      await store.write({ put: [record(1)] }, durable);
      const log = (await filesOf(directory)).find((name) => name.endsWith('.log')) ?? '';
      await copyFile(join(directory, log), join(directory, 'older'));
      await store.write({ put: [record(2)] }, durable);
      await store.close();
      await copyFile(join(directory, 'older'), join(directory, log));
      const again = await LevelStore.open({ directory });
      assert.match(again.health().problems.join(), /the last 1 groups of writes, which were synced, are missing/);
      const revision = await again.write({ put: [record(3)] }, durable);
      assert.ok(revision > 2, 'a revision that was given is not given again');
      await again.close();
    }));

  test('a group that is missing in the middle is reported once', () =>
    inScratch(async (directory) => {
      await fill(directory);
      const { Level } = await import('level');
      const database = new Level<string, Buffer>(join(directory, 'level'), { valueEncoding: 'buffer' });
      // What is left when LevelDB has lost the fifth group, which its own log of events need not tell.
      await database.batch([
        { type: 'del', key: '\0ring/00005' },
        ...Array.from({ length: 10 }, (_, i) => ({ type: 'del' as const, key: record(40 + i).key })),
      ]);
      await database.close();
      for (const _ of [1, 2]) {
        const store = await LevelStore.open({ directory });
        assert.equal(store.health().problems.length, 1);
        assert.match(store.health().problems.join(), /1 groups of writes are missing, among them number 5/);
        await store.close();
      }
    }));

  test('records that a damaged filter hides from LevelDB are reported', () =>
    inScratch(async (directory) => {
      await fill(directory);
      const table = join(directory, (await filesOf(directory)).find((name) => name.endsWith('.ldb')) ?? '');
      const content = await readFile(table);
      // The bloom filter lies before the block that names it; a cleared bit says that there is no such key.
      const filterEnd = content.indexOf('filter.leveldb.BuiltinBloomFilter2');
      content.fill(0, filterEnd - 150, filterEnd - 60);
      await writeFile(table, content);
      const store = await LevelStore.open({ directory });
      assert.match(store.health().problems.join(), /is there but is not found by its key/);
      await store.close();
    }));

  test('a damaged record fails those who read it, and nobody else', () =>
    inScratch(async (directory) => {
      await fill(directory);
      const { Level } = await import('level');
      const database = new Level<string, Buffer>(join(directory, 'level'), { valueEncoding: 'buffer' });
      const framed = await database.get(record(7).key);
      assert.ok(framed);
      framed[framed.length - 1] = 0;
      await database.put(record(7).key, framed);
      await database.close();
      const store = await LevelStore.open({ directory });
      assert.match(store.health().problems.join(), /record\/000007.* is damaged/, 'found at the start');
      await assert.rejects(store.get(record(7).key), code('damaged'));
      const expect = [{ key: record(7).key, revision: 1 }];
      const [bad, good] = await Promise.allSettled([
        store.write({ expect, put: [record(7)] }, durable),
        store.write({ put: [record(8)] }, durable),
      ]);
      assert.ok(bad.status === 'rejected' && code('damaged')(bad.reason));
      assert.equal(good.status, 'fulfilled');
      await store.close();
    }));
});
