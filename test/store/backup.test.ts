import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { backup, checkRestored, restore } from '../../src/store/backup.ts';
import { LevelStore } from '../../src/store/level.ts';
import { openStore, restoreStore } from '../../src/store/store.ts';
import { newId } from '../../src/base/id.ts';
import { bytes, code, collect, durable } from './contract.ts';
import { MemoryStore } from './memory.ts';
import { inScratch } from './scratch.ts';

async function contentOf(store: MemoryStore | LevelStore): Promise<[string, string][]> {
  return (await collect(store, { prefix: '' })).map(({ key, value }) => [key, Buffer.from(value).toString('hex')]);
}

async function filled(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const random = crypto.getRandomValues(new Uint8Array(50_000));
  await store.write({ put: Array.from({ length: 1200 }, (_, i) => ({ key: `k/${i}`, value: random.subarray(i, i * 3) })) });
  return store;
}

describe('a backup', () => {
  test('restores the very same records into another store', () =>
    inScratch(async (directory) => {
      const [store, other] = [await filled(), await LevelStore.open({ directory: join(directory, 'other') })];
      const file = join(directory, 'backup');
      assert.equal(await backup(store, file), 1200);
      await other.write({ put: [{ key: 'schema', value: bytes('1') }] }, durable);
      assert.equal(await restore(other, file), 1200);
      assert.deepEqual(await contentOf(other), await contentOf(store));
      await checkRestored(other);
      await other.close();
      assert.deepEqual((await readdir(directory)).toSorted(), ['backup', 'other']);
    }));

  test('is of one moment while others write', () =>
    inScratch(async (directory) => {
      const store = await LevelStore.open({ directory: join(directory, 'store'), sync: false });
      const file = join(directory, 'backup');
      let running = true;
      const write = async (): Promise<void> => {
        // Both keys always have the same value, in every state of the store.
        for (let i = 0; running; i++)
          await store.write({ put: ['a', 'z'].map((key) => ({ key, value: bytes(`${i}`) })) }, durable);
      };
      await store.write(
        { put: Array.from({ length: 5000 }, (_, i) => ({ key: `k/${i}`, value: bytes('x'.repeat(100)) })) },
        durable,
      );
      const writing = write();
      for (let i = 0; i < 5; i++) {
        await backup(store, file);
        const copy = new MemoryStore();
        await restore(copy, file);
        const [a, z] = await copy.getMany(['a', 'z']);
        assert.deepEqual(a?.value, z?.value);
      }
      running = false;
      await writing;
      await store.close();
    }));

  test('that is damaged or cut anywhere is refused, and nothing is changed', () =>
    inScratch(async (directory) => {
      const file = join(directory, 'backup');
      await backup(await filled(), file);
      const whole = await readFile(file);
      const store = new MemoryStore();
      await store.write({ put: [{ key: 'mine', value: bytes('1') }] });
      const refused = async (content: Uint8Array, what: string): Promise<void> => {
        await writeFile(file, content);
        await assert.rejects(restore(store, file, { force: true }), code('damaged'), what);
      };
      // The ten bytes of the header say nothing of the content.
      for (let at = 10; at < whole.length; at += Math.floor(whole.length / 40)) {
        const flipped = Buffer.from(whole);
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        await refused(flipped, `byte ${at}`);
        await refused(whole.subarray(0, at), `cut at ${at}`);
      }
      const lines = gunzipSync(whole).toString().split('\n');
      await refused(gzipSync(lines.toSpliced(5, 1).join('\n')), 'a line less');
      await refused(gzipSync(lines.slice(0, -2).join('\n')), 'no last line');
      await refused(gzipSync('{"some":"json"}\n'), 'something else');
      await refused(gzipSync(Buffer.alloc(2_000_000, 'x')), 'an endless line');
      await refused(Buffer.alloc(0), 'empty');
      assert.deepEqual(await contentOf(store), [['mine', '31']]);
    }));

  test('replaces records only by force', () =>
    inScratch(async (directory) => {
      const file = join(directory, 'backup');
      const [store, other] = [await filled(), new MemoryStore()];
      await backup(store, file);
      await other.write({ put: [{ key: 'mine', value: bytes('1') }] });
      await assert.rejects(restore(other, file), code('conflict'));
      await restore(other, file, { force: true });
      assert.deepEqual(await contentOf(other), await contentOf(store));
    }));

  test('that was restored by half is refused until it is restored whole', () =>
    inScratch(async (directory) => {
      const file = join(directory, 'backup');
      const [store, other] = [await filled(), new MemoryStore()];
      await backup(store, file);
      const write = other.write.bind(other);
      let writes = 0;
      other.write = async (batch) => {
        if (++writes > 4) throw new Error('killed');
        return write(batch);
      };
      await assert.rejects(restore(other, file));
      other.write = write;
      await assert.rejects(checkRestored(other), code('damaged'));
      await restore(other, file, { force: true });
      await checkRestored(other);
      assert.deepEqual(await contentOf(other), await contentOf(store));
    }));

  test('of a running daemon brings back its executions, totals and secrets', () =>
    inScratch(async (directory) => {
      const file = join(directory, 'backup');
      const [from, to] = [{ directory: join(directory, 'from') }, { directory: join(directory, 'to') }];
      const store = await openStore(from);
      const created_at = new Date().toISOString();
      const one = {
        namespace: 'default',
        name: 'n',
        status: 'Pending',
        created_at,
        attempt: 1,
        node_id: 'n',
        trigger: 'cli',
      } as const;
      const spec = { program: { source: '1', runtime: 'js' }, args: [], env: {}, secrets: [], timeout_ms: 1, retries: 0 };
      const [first, second] = [
        { ...one, id: newId('exec') },
        { ...one, id: newId('exec') },
      ];
      const created = await store.executions.create(first, spec);
      assert.ok(created.created);
      await store.executions.end({ ...first, status: 'Failed', reason: 'canceled' }, created.revision);
      await store.executions.create(second, spec);
      const secret = {
        namespace: 'default',
        name: 'db',
        version: 1,
        keys: [],
        key_id: 'k',
        sealed: 'AA==',
        created_at,
        updated_at: created_at,
      };
      await store.secrets.put(secret);
      await store.backup(file);
      await store.close();

      await restoreStore(to, file);
      await assert.rejects(restoreStore(to, file), code('conflict'));
      await restoreStore(to, file, { force: true });
      const other = await openStore(to);
      assert.deepEqual(await other.secrets.list(), [secret]);
      assert.equal((await other.executions.list({ status: 'Failed' }, { limit: 1 })).total, 1);
      const [left] = await other.executions.unfinished();
      assert.ok(left);
      assert.equal(left.record.id, second.id);
      await other.executions.update({ ...second, status: 'Running' }, left.revision);
      await assert.rejects(restoreStore(to, file, { force: true }), code('conflict'), 'it is open');
      await other.close();
    }));

  test('that cannot be written is an error and leaves no file', () =>
    inScratch(async (directory) => {
      await assert.rejects(backup(await filled(), join(directory, 'none', 'backup')), code('unavailable'));
      assert.deepEqual(await readdir(directory), []);
    }));
});
