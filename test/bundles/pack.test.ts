import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, chmodSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { packFiles, packFolder, packStream } from '../../src/bundles/pack.ts';
import { readTree, temporaryFolder, writeTree } from './harness.ts';

const paths = (packing: { files: readonly { path: string }[] }): string[] => packing.files.map(({ path }) => path);

describe('packing a folder', () => {
  test('takes all files, sorted, and its archive is read by tar', async (t) => {
    const folder = writeTree(temporaryFolder(t), {
      'b.py': 'b',
      'a/z.txt': 'z',
      'a/run.sh': '#!/bin/sh\n',
      'with space\n-x': 'odd',
      empty: '',
      ['l'.repeat(120)]: 'long',
    });
    const packing = await packFolder(folder);
    assert.deepEqual(paths(packing), ['a/run.sh', 'a/z.txt', 'b.py', 'empty', 'l'.repeat(120), 'with space\n-x']);
    assert.deepEqual(packing.leftOut, []);
    const target = temporaryFolder(t);
    const tar = spawn('tar', ['xz', '-C', target], { stdio: ['pipe', 'inherit', 'inherit'] });
    packStream(packing).pipe(tar.stdin);
    assert.deepEqual(await once(tar, 'exit'), [0, null]);
    assert.deepEqual(readTree(target), readTree(folder));
    assert.equal(statSync(join(target, 'a/run.sh')).mode & 0o777, 0o755);
    assert.equal(statSync(join(target, 'b.py')).mode & 0o777, 0o644);
  });

  test('gives the same bytes for the same content, whatever its times, modes and order of making', async (t) => {
    const [one, two] = [temporaryFolder(t), temporaryFolder(t)];
    writeTree(one, { 'a.txt': 'a', 'b/c.txt': 'c' });
    writeTree(two, { 'b/c.txt': 'c', 'a.txt': 'a' });
    utimesSync(join(two, 'a.txt'), 1, 1);
    chmodSync(join(two, 'a.txt'), 0o600);
    const first = await buffer(packStream(await packFolder(one)));
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 86_400_000 });
    const second = await buffer(packStream(await packFolder(two)));
    assert.ok(first.equals(second));
  });

  test('leaves out what is never source, what is no file and links out, and says why', async (t) => {
    const outside = temporaryFolder(t);
    const folder = writeTree(temporaryFolder(t), {
      'main.py': 'x',
      'node_modules/p/index.js': 'x',
      'a/.venv/bin/python': 'x',
      'a/__pycache__/m.pyc': 'x',
      'a/m.py': 'x',
      '.git/HEAD': 'x',
      'nothing/': '',
      'out-absolute': `-> ${outside}`,
      'a/out-relative': '-> ../..',
      broken: '-> nowhere',
      'to-ignored': '-> node_modules/p/index.js',
      'in-file': '-> a/m.py',
      'a/in-folder': '-> ../a',
      'a/to-root': '-> ..',
      'in-absolute': '-> later',
    });
    const socket = createServer().listen(join(folder, 'socket'));
    t.after(() => socket.close());
    await once(socket, 'listening');
    spawnSync('mkfifo', [join(folder, 'pipe')]);
    const packing = await packFolder(folder);
    assert.deepEqual(packing.files, [
      { path: 'a/in-folder', bytes: 0, target: '.' },
      { path: 'a/m.py', bytes: 1 },
      { path: 'a/to-root', bytes: 0, target: '..' },
      { path: 'in-file', bytes: 0, target: 'a/m.py' },
      { path: 'main.py', bytes: 1 },
    ]);
    assert.deepEqual(Object.fromEntries(packing.leftOut.map(({ path, reason }) => [path, reason])), {
      '.git/': '.git never goes up',
      'a/.venv/': '.venv never goes up',
      'a/__pycache__/': '__pycache__ never goes up',
      'a/out-relative': 'a link that leads out of the folder',
      broken: 'a link that leads nowhere',
      'in-absolute': 'a link that leads nowhere',
      'node_modules/': 'node_modules never goes up',
      'nothing/': 'an empty folder',
      'out-absolute': 'a link that leads out of the folder',
      pipe: 'a named pipe',
      socket: 'a socket',
      'to-ignored': 'a link to what is left out',
    });
  });

  test('obeys ignore files of every level, .prisnignore last, and names the file whose rule it was', async (t) => {
    const folder = writeTree(temporaryFolder(t), {
      '.gitignore': '\uFEFF# comment\n*.log\n/build/\nsecret.env\r\n',
      '.prisnignore': '!keep.log\ndata/**/*.csv\n',
      'sub/.gitignore': '!secret.env\n/only-here\n',
      'main.py': '',
      'x.log': '',
      'keep.log': '',
      'build/out': '',
      'sub/build/in': '',
      'secret.env': '',
      'sub/secret.env': '',
      'sub/only-here': '',
      'sub/deep/only-here': '',
      'data/a/b/c.csv': '',
      'data/c.txt': '',
    });
    const packing = await packFolder(folder);
    assert.deepEqual(
      paths(packing).filter((path) => !path.endsWith('ignore')),
      ['data/c.txt', 'keep.log', 'main.py', 'sub/build/in', 'sub/deep/only-here', 'sub/secret.env'],
    );
    const reasons = Object.fromEntries(packing.leftOut.map(({ path, reason }) => [path, reason]));
    assert.equal(reasons['build/'], 'ignored by .gitignore');
    assert.equal(reasons['data/a/b/c.csv'], 'ignored by .prisnignore');
    assert.equal(reasons['sub/only-here'], 'ignored by sub/.gitignore');
  });

  test('obeys the .gitignore above it in its repository, unless the folder itself is what it ignores', async (t) => {
    const top = writeTree(temporaryFolder(t), {
      '.git/HEAD': '',
      '.gitignore': '*.env\n/dist/\n',
      'services/.gitignore': 'local.*\n',
      'services/api/main.py': '',
      'services/api/prod.env': '',
      'services/api/local.json': '',
      'dist/main.js': '',
      'dist/prod.env': '',
    });
    assert.deepEqual(paths(await packFolder(join(top, 'services/api'))), ['main.py']);
    assert.deepEqual(paths(await packFolder(join(top, 'dist'))), ['main.js', 'prod.env']);
  });

  test('chooses what git would, for any rules', { skip: spawnSync('git', ['--version']).status !== 0 }, async (t) => {
    const name = fc.constantFrom('a', 'b', 'ab', 'C', 'a.x', 'b.x', '[c]');
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const pattern = fc
      .tuple(
        fc.constantFrom('', '!', '/', '**/'),
        fc.array(fc.oneof(name, fc.constantFrom('*', '*.x', 'a*', '?', '[ab]')), { minLength: 1, maxLength: 3 }),
        fc.constantFrom('', '/', '/*'),
      )
      .map(([before, parts, after]) => `${before}${parts.join('/')}${after}`);
    const rules = fc.array(pattern, { maxLength: 4 });
    const property = fc.asyncProperty(
      fc.array(path, { minLength: 1, maxLength: 8 }),
      rules,
      rules,
      fc.constantFrom('a', 'b', '[c]'),
      async (files, top, deep, below) => {
        const folder = temporaryFolder(t);
        spawnSync('git', ['init', '-q', folder]);
        writeFileSync(join(folder, 'always'), '');
        for (const file of files) {
          try {
            writeTree(folder, { [file]: 'x' });
          } catch {
            // A file stands where a folder should.
          }
        }
        writeFileSync(join(folder, '.gitignore'), `${top.join('\n')}\n!/always\n`);
        if (statSync(join(folder, below), { throwIfNoEntry: false })?.isDirectory())
          writeFileSync(join(folder, below, '.gitignore'), deep.join('\n'));
        const git = spawnSync(
          'git',
          ['-C', folder, '-c', 'core.quotePath=false', '-c', 'core.excludesFile=', 'ls-files', '-o', '--exclude-standard', '-z'],
          { encoding: 'utf8' },
        );
        const expected = git.stdout.split('\0').filter(Boolean).toSorted();
        assert.deepEqual(paths(await packFolder(folder)), expected);
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });
});

describe('packing single files', () => {
  test('finds the folder that has them all', async (t) => {
    const folder = writeTree(temporaryFolder(t), {
      'jobs/daily/main.py': 'main',
      'jobs/lib/util.py': 'util',
      'jobs/other.py': 'other',
      'jobs/latest.py': '-> daily/main.py',
    });
    const packing = await packFiles(
      ['jobs/daily/main.py', 'jobs/lib/util.py', 'jobs/lib/util.py'].map((path) => join(folder, path)),
    );
    assert.equal(packing.root, join(folder, 'jobs'));
    assert.deepEqual(packing.files, [
      { path: 'daily/main.py', bytes: 4 },
      { path: 'lib/util.py', bytes: 4 },
    ]);
    const single = await packFiles([join(folder, 'jobs/latest.py')]);
    assert.deepEqual([single.root, single.files], [join(folder, 'jobs'), [{ path: 'latest.py', bytes: 4 }]]);
  });

  test('says which file cannot be read', async (t) => {
    const folder = writeTree(temporaryFolder(t), { 'main.py': '' });
    await assert.rejects(packFiles([join(folder, 'main.py'), join(folder, 'gone.py')]), {
      code: 'cannot_run',
      message: /gone\.py': ENOENT/,
    });
    await assert.rejects(packFiles([folder]), { code: 'cannot_run', message: /is not a file/ });
  });
});

describe('a folder that makes no bundle', () => {
  test('is refused when it is missing, no folder, or empty', async (t) => {
    const folder = writeTree(temporaryFolder(t), { file: 'x', 'empty/': '' });
    await assert.rejects(packFolder(join(folder, 'gone')), { code: 'cannot_run', message: /gone': ENOENT/ });
    await assert.rejects(packFolder(join(folder, 'file')), { code: 'cannot_run', message: /file': ENOTDIR/ });
    await assert.rejects(packFolder(join(folder, 'empty')), { code: 'usage', message: /no file to deploy/ });
  });

  test('is refused when names differ only in case, before anything is sent', async (t) => {
    const folder = writeTree(temporaryFolder(t), { 'Readme/a': '', 'readme/b': '' });
    await assert.rejects(packFolder(folder), { code: 'usage', message: /'readme\/b' differs from 'Readme' only in case/ });
  });

  test('is refused when it is too large, naming its largest file', async (t) => {
    const folder = writeTree(temporaryFolder(t), { 'main.py': '', 'model.bin': '' });
    truncateSync(join(folder, 'model.bin'), 2 ** 30 + 1);
    await assert.rejects(packFolder(folder), { code: 'too_large', message: /largest file is 'model\.bin' with 1025 MB/ });
  });

  test('fails the archive when a file shrinks while it is read; one that grows is cut where it ended', async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, 'data');
    writeFileSync(file, randomBytes(2 ** 23));
    const packing = await packFolder(folder);

    const growing = packStream(packing);
    growing.once('data', () => appendFileSync(file, 'more'));
    const listed = spawnSync('tar', ['tzv'], { input: await buffer(growing), encoding: 'utf8' });
    assert.match(listed.stdout, / 8388608 .* data\n$/);
    assert.equal(listed.status, 0);

    const shrinking = packStream(packing);
    shrinking.once('data', () => truncateSync(file, 10));
    await assert.rejects(buffer(shrinking), { code: 'cannot_run', message: /data' changed while it was packed/ });
  });
});
