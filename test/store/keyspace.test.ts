import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { checkKey } from '../../src/store/key-value.ts';
import { fromJson, keyOf, lastPart, migrate, numberPart, prefixOf, toJson, type Migration } from '../../src/store/keyspace.ts';
import { code, durable } from './contract.ts';
import { MemoryStore } from './memory.ts';

const part = fc.string({ unit: 'grapheme', maxLength: 12 });
const parts = fc.array(part, { minLength: 2, maxLength: 4 });

describe('keys', () => {
  test('are printable, and different for different parts', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        checkKey(keyOf('x', ...a));
        assert.equal(keyOf(...a) === keyOf(...b), JSON.stringify(a) === JSON.stringify(b));
        assert.equal(lastPart(keyOf(...a)), a.at(-1));
      }),
    );
  });

  test('a prefix takes in exactly the keys that have its parts and more', () => {
    fc.assert(
      fc.property(parts, parts, fc.nat(3), (a, b, length) => {
        const start = a.slice(0, length);
        fc.pre(start.length > 0);
        const expected = b.length > start.length && start.every((one, i) => b[i] === one);
        assert.equal(keyOf(...b).startsWith(prefixOf(...start)), expected);
      }),
    );
  });

  test('numbers come in their order', () => {
    fc.assert(fc.property(fc.nat(2 ** 45), fc.nat(2 ** 45), (a, b) => assert.equal(numberPart(a) < numberPart(b), a < b)));
  });
});

describe('the schema version', () => {
  test('an old store is migrated step by step, once, and again after an interruption', async () => {
    const store = new MemoryStore();
    await migrate(store, []);
    await store.write({ put: [{ key: 'old/a', value: toJson({ n: 1 }) }] });
    const rename: Migration = async (target) => {
      for await (const { key, value } of target.range({ prefix: 'old/' }))
        await target.write({ delete: [key], put: [{ key: key.replace('old', 'new'), value }] }, durable);
    };
    let interrupted = true;
    const double: Migration = async (target) => {
      if (interrupted) throw new Error('killed');
      for await (const entry of target.range({ prefix: 'new/' }))
        await target.write({ put: [{ key: entry.key, value: toJson({ n: fromJson<{ n: number }>(entry).n * 2 }) }] }, durable);
    };
    await assert.rejects(migrate(store, [rename, double]), /killed/);
    interrupted = false;
    await migrate(store, [rename, double]);
    await migrate(store, [rename, double]);
    const stored = await store.get('new/a');
    assert.deepEqual(stored && fromJson(stored), { n: 2 });
    assert.equal(await store.get('old/a'), undefined);
  });

  test('a store of the first version loses the lists of all, which are made of those of each status', async () => {
    const store = new MemoryStore();
    const kept = ['by/*/*/Completed/exec-1', 'by/all/*/Failed/exec-2', 'execution/exec-1'];
    const gone = ['by/*/*/all/exec-1', 'by/all/*/all/exec-2', 'by/default/*/all/exec-1'];
    await store.write({ put: [...kept, ...gone].map((key) => ({ key, value: new Uint8Array() })) });
    await store.write({ put: [{ key: 'schema', value: toJson(1) }] });
    await migrate(store);
    const left: string[] = [];
    for await (const key of store.keys({ prefix: '' })) left.push(key);
    assert.deepEqual(left, [...kept, 'schema']);
  });

  test('a store of a newer prisn is refused and left as it is', async () => {
    const store = new MemoryStore();
    await migrate(store, [async () => undefined, async () => undefined]);
    await assert.rejects(
      migrate(store, [async () => undefined]),
      (error) => code('unsupported')(error) && /newer prisn \(scheme 3/.test(String(error)),
    );
    const stored = await store.get('schema');
    assert.equal(stored && fromJson(stored), 3);
  });

  test('records without a schema version are refused', async () => {
    const store = new MemoryStore();
    await store.write({ put: [{ key: 'a', value: toJson(1) }] });
    await assert.rejects(migrate(store), code('damaged'));
  });
});
