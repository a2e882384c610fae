import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { readOwn, replaceFile, stateOf } from '../../runtimes/kept-file.ts';
import { Scratch } from '../scratch.ts';

test('a kept file is read when it is a regular file that only its owner may write, and nothing else is', (t) => {
  const scratch = new Scratch(t);
  const own = scratch.file('own', 'text', 0o600);
  assert.equal(readOwn(own), 'text');
  symlinkSync(own, scratch.path('link'));
  execFileSync('sh', ['-c', 'mkfifo "$0"', scratch.path('pipe')]);
  scratch.folder('folder');
  scratch.file('of-group', 'text', 0o620);
  scratch.file('of-all', 'text', 0o602);
  for (const name of ['link', 'pipe', 'folder', 'of-group', 'of-all', 'absent', 'own/below'])
    assert.equal(readOwn(scratch.path(name)), undefined, name);
  if (process.getuid?.() !== 0) assert.equal(readOwn('/etc/passwd'), undefined);
});

test('a kept file is replaced and not rewritten, for its owner alone, and its folders are made', (t) => {
  const scratch = new Scratch(t);
  const file = scratch.path('a/b/file');
  replaceFile(file, 'old');
  linkSync(file, scratch.path('a/reader'));
  replaceFile(file, 'new');
  assert.equal(readOwn(file), 'new');
  assert.equal(readFileSync(scratch.path('a/reader'), 'utf8'), 'old', 'what was opened before stays whole');
  assert.deepEqual(
    ['a', 'a/b', 'a/b/file'].map((name) => statSync(scratch.path(name)).mode & 0o777),
    [0o700, 0o700, 0o600],
  );
});

test('a file that cannot be replaced leaves nothing behind', (t) => {
  const scratch = new Scratch(t);
  mkdirSync(scratch.path('kept/file/full'), { recursive: true });
  assert.throws(() => replaceFile(scratch.path('kept/file'), 'text'), { syscall: 'rename' });
  assert.deepEqual(readdirSync(scratch.path('kept')), ['file']);
});

test('the stamp of a file changes with its content, its mode and its times, though size and mtime were put back', (t) => {
  const scratch = new Scratch(t);
  const file = scratch.file('file', 'one');
  const past = new Date(0);
  const change = (how: () => void): string | undefined => {
    const before = stateOf(file)?.stamp;
    // The clock that files are stamped by ticks some hundred times a second.
    for (let tries = 0; tries < 10_000 && stateOf(file)?.stamp === before; tries++) how();
    return stateOf(file)?.stamp;
  };
  const stamps = [
    change(() => utimesSync(file, past, past)),
    change(() => {
      writeFileSync(file, 'two');
      utimesSync(file, past, past);
    }),
    change(() => chmodSync(file, 0o755)),
  ];
  assert.equal(new Set(stamps).size, 3);
  assert.equal(stateOf(`${file}.gone`), undefined);
});

test('a file is settled when it was left alone for a while', (t) => {
  const scratch = new Scratch(t);
  assert.equal(stateOf(scratch.file('new', ''))?.isSettled, false);
  assert.equal(stateOf(process.execPath)?.isSettled, true);
});
