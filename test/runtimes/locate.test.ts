import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { test } from 'node:test';
import { bash } from '../../runtimes/bash.ts';
import { isInstalled, locate } from '../../runtimes/locate.ts';
import { node } from '../../runtimes/node.ts';
import { python3 } from '../../runtimes/python3.ts';
import { Scratch } from '../scratch.ts';

function setUp(scratch: Scratch, env: Record<string, string>) {
  return { env, cwd: scratch.root, cacheDir: scratch.path('cache') };
}

test('the first executable file of the name in PATH is taken, without resolving its links', (t) => {
  const scratch = new Scratch(t);
  scratch.file('plain/python3', '#!/bin/sh\n', 0o644);
  scratch.folder('folder/python3');
  const real = scratch.script('real/some-python', 'exit 0');
  scratch.folder('linked');
  symlinkSync(real, scratch.path('linked/python3'));
  scratch.script('later/python3', 'exit 0');
  const path = ['missing', 'plain', 'folder', 'linked', 'later'].map((name) => scratch.path(name)).join(':');
  assert.deepEqual(locate(python3, setUp(scratch, { PATH: path })), { file: scratch.path('linked/python3'), source: 'PATH' });
});

test('the whole PATH is searched for a name before the next name', (t) => {
  const scratch = new Scratch(t);
  scratch.script('a/python', 'exit 0');
  scratch.script('b/python3', 'exit 0');
  const path = `${scratch.path('a')}:${scratch.path('b')}`;
  assert.equal(locate(python3, setUp(scratch, { PATH: path })).file, scratch.path('b/python3'));
  assert.equal(locate(python3, setUp(scratch, { PATH: scratch.path('a') })).file, scratch.path('a/python'));
});

test('relative and empty parts of PATH start at the working directory of the run', (t) => {
  const scratch = new Scratch(t);
  const inner = scratch.script('bin/bash', 'exit 0');
  const own = scratch.script('bash', 'exit 0');
  assert.equal(locate(bash, setUp(scratch, { PATH: 'bin:/usr/bin' })).file, inner);
  assert.equal(locate(bash, setUp(scratch, { PATH: '/nowhere:' })).file, own);
});

test('without PATH the system folders are searched', (t) => {
  const { file } = locate(bash, setUp(new Scratch(t), {}));
  assert.equal(file, '/bin/bash');
});

test('an activated venv wins over PATH, is found without PATH, and its python stays in the venv', (t) => {
  const scratch = new Scratch(t);
  const venv = scratch.path('venv');
  execFileSync('/usr/bin/python3', ['-m', 'venv', '--without-pip', venv]);
  const fake = scratch.script('bin/python3', 'exit 0');
  for (const path of [`${scratch.path('bin')}:/usr/bin`, '/nowhere', `${venv}/bin:/usr/bin`]) {
    const found = locate(python3, setUp(scratch, { PATH: path, VIRTUAL_ENV: venv }));
    assert.deepEqual(found, { file: `${venv}/bin/python3`, source: 'VIRTUAL_ENV' }, path);
  }
  const prefix = execFileSync(
    locate(python3, setUp(scratch, { PATH: `${venv}/bin:/usr/bin` })).file,
    ['-c', 'import sys; print(sys.prefix)'],
    { encoding: 'utf8' },
  );
  assert.equal(prefix.trim(), venv);
  assert.equal(
    locate(python3, setUp(scratch, { PATH: scratch.path('bin'), VIRTUAL_ENV: scratch.path('gone') })).file,
    fake,
    'a venv that is gone counts for nothing',
  );
  assert.equal(
    locate(bash, setUp(scratch, { PATH: '/usr/bin', VIRTUAL_ENV: venv })).source,
    'PATH',
    'a venv is no matter of bash',
  );
});

test('a conda environment comes after a venv and before PATH', (t) => {
  const scratch = new Scratch(t);
  const conda = scratch.script('conda/bin/python3', 'exit 0');
  const venv = scratch.script('venv/bin/python', 'exit 0');
  const env = { PATH: '/usr/bin', CONDA_PREFIX: scratch.path('conda') };
  assert.equal(locate(python3, setUp(scratch, env)).file, conda);
  assert.equal(locate(python3, setUp(scratch, { ...env, VIRTUAL_ENV: scratch.path('venv') })).file, venv);
});

test('an absolute path that exists goes before a venv, and names follow where it does not', (t) => {
  const scratch = new Scratch(t);
  const exact = scratch.script('opt/python3', 'exit 0');
  const venv = scratch.script('venv/bin/python3', 'exit 0');
  const context = setUp(scratch, { PATH: '/usr/bin', VIRTUAL_ENV: scratch.path('venv') });
  assert.deepEqual(locate(python3, context, [exact, 'python3']), { file: exact, source: '#!' });
  assert.equal(locate(python3, context, [scratch.path('opt/gone'), 'python3']).file, venv);
});

test('a runtime that is nowhere is refused with where was looked and how to install it', (t) => {
  const scratch = new Scratch(t);
  const context = setUp(scratch, { PATH: '/nowhere:/neither' });
  assert.throws(() => locate(python3, context), {
    code: 'no_runtime',
    message: /python3 or python not found in PATH \(\/nowhere:\/neither\); to install it: .*python/,
  });
  assert.equal(isInstalled(python3, context), false);
  assert.equal(isInstalled(bash, { env: { PATH: '/usr/bin' }, cwd: '/' }), true);
});

test("node is prisn's own where there is no other", (t) => {
  const scratch = new Scratch(t);
  assert.deepEqual(locate(node, setUp(scratch, { PATH: '/nowhere' })), { file: process.execPath, source: 'prisn' });
  const other = scratch.script('bin/nodejs', 'exit 0');
  assert.equal(locate(node, setUp(scratch, { PATH: scratch.path('bin') })).file, other);
});
