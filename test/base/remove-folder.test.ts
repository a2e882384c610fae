import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, symlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import { removeFolder } from '../../src/base/remove-folder.ts';
import { needs } from '../machine.ts';
import { Scratch } from '../scratch.ts';

describe('a folder is removed', () => {
  test('with folders that are closed to their owner', async (t) => {
    const scratch = new Scratch(t);
    scratch.file('work/a/b/file');
    chmodSync(scratch.path('work/a/b'), 0o500);
    chmodSync(scratch.path('work/a'), 0o000);
    await removeFolder(scratch.path('work'));
    assert.deepEqual(readdirSync(scratch.root), []);
  });

  test('and what a link in it names stays', async (t) => {
    const scratch = new Scratch(t);
    const kept = scratch.file('kept/file');
    scratch.folder('work');
    symlinkSync(scratch.path('kept'), scratch.path('work/link'));
    await removeFolder(scratch.path('work'));
    symlinkSync(scratch.path('kept'), scratch.path('work'));
    await removeFolder(scratch.path('work'));
    assert.ok(existsSync(kept));
    assert.deepEqual(readdirSync(scratch.root), ['kept']);
  });

  test('however deep it is', needs('python3'), async (t) => {
    const scratch = new Scratch(t);
    const dig =
      "import os,sys\nos.chdir(sys.argv[1])\nfor i in range(300):\n  os.mkdir('d'*100)\n  os.chdir('d'*100)\nopen('f','w')";
    const { status } = spawnSync('python3', ['-c', dig, scratch.folder('work')]);
    assert.equal(status, 0);
    await removeFolder(scratch.path('work'));
    assert.deepEqual(readdirSync(scratch.root), []);
  });

  test('that is not there', async (t) => {
    await removeFolder(new Scratch(t).path('none'));
  });
});
