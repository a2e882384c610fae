import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { PrisnError } from '../../src/base/error.ts';
import { foldersIn } from '../../src/daemon/folders.ts';
import { stageBackup, swapRestored } from '../../src/daemon/restore.ts';
import { Keyring } from '../../src/secrets/keyring.ts';
import { Scratch } from '../scratch.ts';

test('an archive whose head names no version is refused, also with force', async (t) => {
  const scratch = new Scratch(t);
  const keyring = await Keyring.open(scratch.path('key'));
  const root = scratch.path('data');
  mkdirSync(root);
  for (const head of ['{}', 'null', '1', '{"prisn_backup":0}', '{"prisn_backup":"1"}']) {
    const archive = pack();
    archive.entry({ name: 'backup.json' }, head);
    archive.finalize();
    const bytes = gzipSync(await buffer(archive));
    const staging = stageBackup(
      (async function* () {
        yield bytes;
      })(),
      foldersIn(root),
      keyring,
      true,
    );
    await assert.rejects(staging, (error: unknown) => {
      assert.ok(error instanceof PrisnError);
      assert.match(error.message, /it does not begin as one/);
      return true;
    });
  }
  assert.deepEqual(readdirSync(root), []);
});

test('what a finished restore replaced is removed by the next start, if it is still there', async (t) => {
  const root = new Scratch(t).path('data');
  mkdirSync(`${root}/restore.replaced/store`, { recursive: true });
  writeFileSync(`${root}/restore.replaced/store/old`, '');
  assert.equal(await swapRestored(foldersIn(root)), false);
  assert.deepEqual(readdirSync(root), []);
});
