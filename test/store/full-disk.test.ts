import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { errnoOf } from '../../src/base/error.ts';
import { backup } from '../../src/store/backup.ts';
import { LevelStore } from '../../src/store/level.ts';
import { bytes, code, collect, durable } from './contract.ts';
import { inScratch } from './scratch.ts';

const cannotMount = process.getuid?.() !== 0 || spawnSync('unshare', ['-m', 'true']).status !== 0;
const skip = cannotMount && 'needs root, to mount a small disk';

async function onSmallDisk(megabytes: number, body: (disk: string) => Promise<void>): Promise<void> {
  await inScratch(async (scratch) => {
    const disk = join(scratch, 'disk');
    await mkdir(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', disk], { encoding: 'utf8' });
    assert.equal(mounted.status, 0, mounted.stderr);
    try {
      await body(disk);
    } finally {
      spawnSync('umount', ['-l', disk]);
    }
  });
}

/** Takes all space that is left. */
function fill(file: string): void {
  const fd = openSync(file, 'w');
  try {
    for (let size = 65_536; size > 0; )
      try {
        if (writeSync(fd, Buffer.alloc(size)) < size) size >>= 1;
      } catch (error) {
        assert.equal(errnoOf(error), 'ENOSPC');
        size >>= 1;
      }
  } finally {
    closeSync(fd);
  }
}

test('a full disk refuses writes and keeps serving reads, and they are accepted again when there is space', { skip }, () =>
  onSmallDisk(4, async (disk) => {
    const directory = join(disk, 'store');
    const store = await LevelStore.open({ directory });
    const accepted: string[] = [];
    const value = bytes('x'.repeat(2000));
    const write = async (key: string): Promise<void> => {
      await store.write({ put: [{ key, value }], add: [{ key: 'total', by: 1 }] }, durable);
      accepted.push(key);
    };
    for (let i = 0; i < 20; i++) await write(`before/${i}`);
    for (let round = 0; round < 3; round++) {
      fill(join(disk, 'ballast'));
      let refused = 0;
      for (let i = 0; refused < 20; i++)
        await write(`full/${round}/${i}`).catch((error: unknown) => {
          assert.ok(code('storage_full')(error), String(error));
          refused++;
        });
      const concurrent = await Promise.allSettled([1, 2, 3].map((i) => write(`full/${round}/c${i}`)));
      assert.ok(concurrent.every((one) => one.status === 'rejected' && code('storage_full')(one.reason)));
      assert.match(store.health().problems.join(), /disk of the store is full/);
      assert.ok(await store.get('before/7'), 'what is there can be read');
      await assert.rejects(backup(store, join(disk, 'backup')), code('storage_full'));

      rmSync(join(disk, 'ballast'));
      await write(`after/${round}`);
      assert.deepEqual(store.health(), { ok: true, problems: [] });
    }
    await store.close();
    const again = await LevelStore.open({ directory });
    assert.deepEqual(again.health(), { ok: true, problems: [] });
    const keys = new Set((await collect(again, { prefix: '' })).map(({ key }) => key));
    for (const key of accepted) assert.ok(keys.has(key), key);
    // A write that failed in the disk may be there or not, but it is never there by half.
    assert.equal(Number(Buffer.from((await again.get('total'))?.value ?? [])), keys.size - 1);
    await again.close();
  }),
);

test('a full disk heals by itself, without a write', { skip }, () =>
  onSmallDisk(4, async (disk) => {
    const store = await LevelStore.open({ directory: join(disk, 'store') });
    fill(join(disk, 'ballast'));
    const value = bytes('x'.repeat(5000));
    for (let full = false; !full; )
      await store.write({ put: [{ key: 'a', value }] }, durable).catch((error: unknown) => {
        full = code('storage_full')(error);
        assert.ok(full, String(error));
      });
    rmSync(join(disk, 'ballast'));
    while (!store.health().ok) await new Promise((resolve) => setTimeout(resolve, 20));
    await store.close();
  }),
);

test('a store on a full disk cannot be opened, and says why', { skip }, () =>
  onSmallDisk(1, async (disk) => {
    fill(join(disk, 'ballast'));
    await assert.rejects(LevelStore.open({ directory: join(disk, 'store') }), code('storage_full'));
    rmSync(join(disk, 'ballast'));
    const store = await LevelStore.open({ directory: join(disk, 'store') });
    assert.deepEqual(store.health(), { ok: true, problems: [] });
    await store.close();
  }),
);
