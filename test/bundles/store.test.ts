import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, linkSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { createGzip, gzipSync } from 'node:zlib';
import * as tar from 'tar-stream';
import { removeFolder } from '../../src/base/remove-folder.ts';
import { packFolder, packStream } from '../../src/bundles/pack.ts';
import { contentId } from '../../src/bundles/content.ts';
import { seen, type SeenEntry } from '../../src/bundles/read.ts';
import { BundleStore } from '../../src/bundles/store.ts';
import { archiveOf, type RawEntry, readTree, temporaryFolder, writeTree } from './harness.ts';

const upload = async (store: BundleStore, folder: string) => store.put(packStream(await packFolder(folder)));
const small = { packedBytes: 2 ** 20, unpackedBytes: 2 ** 20, entries: 100 };

describe('a bundle that was put', () => {
  test('is there whole, read-only, under an id of its content', async (t) => {
    const tree = { 'main.py': 'print(1)', 'lib/run.sh': '#!/bin/sh\n', 'lib/link': '-> ../main.py', empty: '', 'odd\n-name': '' };
    const folder = writeTree(temporaryFolder(t), tree);
    const store = await BundleStore.open(join(temporaryFolder(t), 'bundles'));
    const put = await upload(store, folder);
    assert.match(put.id, /^sha256-[0-9a-f]{64}$/);
    assert.deepEqual(put, { id: put.id, bytes: 18, isNew: true });
    const content = store.open(put.id);
    assert.deepEqual(readTree(content), readTree(folder));
    const modes = ['main.py', 'lib/run.sh', 'lib', ''].map((path) => (statSync(join(content, path)).mode & 0o777).toString(8));
    assert.deepEqual(modes, ['444', '555', '555', '555']);
    assert.ok(store.has(put.id));
    assert.deepEqual(await store.list(), [put.id]);
  });

  test('comes out as it went in', async (t) => {
    const files: RawEntry[] = [
      { name: 'main.py', content: 'print(1)' },
      { name: 'lib/run.sh', content: '#!/bin/sh\n', mode: 0o755 },
      { name: 'lib/link', type: 'symlink', linkname: '../main.py' },
      // Chose what went up, and chooses nothing here.
      { name: '.gitignore', content: 'main.py' },
      { name: 'data', content: '\0' },
    ];
    const store = await BundleStore.open(temporaryFolder(t));
    const { id } = await store.put(archiveOf(files));
    const other = await BundleStore.open(temporaryFolder(t));
    assert.equal((await other.put(await store.archive(id))).id, id);
    const entries: SeenEntry[] = [];
    for await (const entry of seen(await store.archive(id))) entries.push(entry);
    entries.sort((a, b) => (a.path < b.path ? -1 : 1));
    assert.deepEqual(
      entries.map(({ path, kind, text }) => [path, kind, text]),
      [
        ['.gitignore', 'file', 'main.py'],
        ['data', 'file', undefined],
        ['lib/link', 'link', undefined],
        ['lib/run.sh', 'executable', '#!/bin/sh\n'],
        ['main.py', 'file', 'print(1)'],
      ],
    );
    assert.equal(contentId(entries), id);
    await assert.rejects(store.archive('sha256-0'), { code: 'not_found' });
  });

  test('has the same id however it was archived, and another for other bytes, names, targets or executable bits', async (t) => {
    const store = await BundleStore.open(temporaryFolder(t));
    const files: RawEntry[] = [
      { name: 'a', content: 'x' },
      { name: 'd/b', content: 'y', mode: 0o644 },
      { name: 'l', type: 'symlink', linkname: 'a' },
    ];
    const { id } = await store.put(archiveOf(files));
    const same: RawEntry[] = [
      { name: './', type: 'directory' },
      { name: './l', type: 'symlink', linkname: 'a', mtime: new Date(1e12), uname: 'me' },
      { name: './d/b', content: 'y', mode: 0o600, uid: 1000 },
      { name: './d/', type: 'directory' },
      { name: './e/', type: 'directory' },
      { name: './a', content: 'x' },
    ];
    assert.deepEqual(await store.put(archiveOf(same)), { id, bytes: 2, isNew: false });
    const others: RawEntry[][] = [
      [{ name: 'a', content: 'z' }, ...files.slice(1)],
      [{ name: 'c', content: 'x' }, ...files.slice(1)],
      [...files.slice(0, 2), { name: 'l', type: 'symlink', linkname: 'd/b' }],
      [{ name: 'a', content: 'x', mode: 0o755 }, ...files.slice(1)],
    ];
    const ids = await Promise.all(others.map(async (entries) => (await store.put(archiveOf(entries))).id));
    assert.equal(new Set([id, ...ids]).size, 5);
  });

  test('is taken in again after somebody removed the folder of all bundles', async (t) => {
    const folder = join(temporaryFolder(t), 'bundles');
    const store = await BundleStore.open(folder);
    const { id } = await store.put(archiveOf([{ name: 'a' }]));
    await removeFolder(folder);
    assert.deepEqual([store.has(id), (await store.put(archiveOf([{ name: 'a' }]))).isNew], [false, true]);
    assert.ok(store.has(id));
  });

  test('is new once when it comes many times at once', async (t) => {
    const folder = temporaryFolder(t);
    const store = await BundleStore.open(folder);
    const puts = await Promise.all(Array.from({ length: 8 }, () => store.put(archiveOf([{ name: 'a', content: 'x' }]))));
    assert.equal(puts.filter(({ isNew }) => isNew).length, 1);
    assert.deepEqual(readdirSync(folder), [puts[0]?.id]);
  });

  test('is copied to a folder that may be changed without changing the bundle', async (t) => {
    const store = await BundleStore.open(temporaryFolder(t));
    const folder = writeTree(temporaryFolder(t), { 'a/run.sh': '#!/bin/sh\n', 'a/x': 'x', loop: '-> .', l: '-> a/x' });
    const { id } = await upload(store, folder);
    const target = join(temporaryFolder(t), 'jobs/1/work');
    assert.deepEqual(await Promise.all([store.copyTo(id, target), store.copyTo(id, target)]), [true, false]);
    assert.deepEqual(readTree(target), readTree(folder));
    assert.deepEqual(
      ['a', 'a/x', 'a/run.sh'].map((path) => (statSync(join(target, path)).mode & 0o777).toString(8)),
      ['755', '644', '755'],
    );
    assert.notEqual(statSync(join(target, 'a/x')).ino, statSync(join(store.open(id), 'a/x')).ino);
    writeFileSync(join(target, 'a/x'), 'changed');
    writeFileSync(join(target, 'new'), '');
    assert.equal(await store.copyTo(id, target), false);
    assert.equal(readTree(target)['a/x'], 'changed');
    assert.deepEqual(readTree(store.open(id)), readTree(folder));
  });

  test('replaces what a killed copy left', async (t) => {
    const store = await BundleStore.open(temporaryFolder(t));
    const { id } = await store.put(archiveOf([{ name: 'a', content: 'x' }]));
    const folder = writeTree(temporaryFolder(t), { 'work.partial/b': 'half' });
    assert.equal(await store.copyTo(id, join(folder, 'work')), true);
    assert.deepEqual(readTree(folder), { 'work/a': 'x' });
  });

  test('goes when it is deleted, or pruned and old; what is kept or recent stays', async (t) => {
    const folder = temporaryFolder(t);
    const store = await BundleStore.open(folder);
    const ids: string[] = [];
    for (const content of ['kept', 'old', 'recent', 'again', 'deleted'])
      ids.push((await store.put(archiveOf([{ name: 'd/a', content }]))).id);
    const [kept = '', old = '', recent = '', again = '', deleted = ''] = ids;
    for (const id of [kept, old, again]) utimesSync(join(folder, id), 1, 1);
    assert.equal((await store.put(archiveOf([{ name: 'd/a', content: 'again' }]))).isNew, false);
    assert.deepEqual([await store.delete(deleted), await store.delete(deleted)], [true, false]);
    assert.deepEqual(await store.prune(new Set([kept])), [old]);
    assert.deepEqual(readdirSync(folder).toSorted(), [kept, recent, again].toSorted());
    assert.throws(() => store.open(old), { code: 'not_found', message: new RegExp(old) });
    await assert.rejects(store.copyTo(old, join(folder, 'x')), { code: 'not_found' });
  });

  test('is not found by what is no id', async (t) => {
    const folder = writeTree(temporaryFolder(t), { 'bundles/': '', other: '' });
    const store = await BundleStore.open(join(folder, 'bundles'));
    for (const id of ['..', '../other', '', '.', `sha256-${'0'.repeat(64)}/..`]) {
      assert.equal(store.has(id), false);
      assert.equal(await store.delete(id), false);
      assert.throws(() => store.open(id), { code: 'not_found' });
    }
  });
});

describe('a put that is killed', () => {
  test('leaves nothing that is taken for a bundle, and the next daemon cleans up', async (t) => {
    const folder = temporaryFolder(t);
    const script = `
      import { BundleStore } from ${JSON.stringify(new URL('../../src/bundles/store.ts', import.meta.url).href)};
      const store = await BundleStore.open(process.argv[1]);
      await store.put(process.stdin);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    const archive = await buffer(
      archiveOf([
        { name: 'a', content: 'whole' },
        { name: 'b', content: randomBytes(2 ** 20) },
      ]),
    );
    child.stdin.on('error', () => {});
    child.stdin.write(archive.subarray(0, -1000));
    const unpacks = (): boolean =>
      readdirSync(folder).some((name) => name.startsWith('tmp-') && existsSync(join(folder, name, 'b')));
    while (!unpacks()) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(readdirSync(folder).length, 1);
    const store = await BundleStore.open(folder);
    assert.deepEqual(await store.list(), []);
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('an archive that is no bundle', () => {
  const long = 'n'.repeat(256);
  const pax = (name: string): RawEntry => ({ name: 'x', pax: { path: name } });
  const refusals: readonly (readonly [string, readonly RawEntry[], RegExp])[] = [
    ['an absolute path', [{ name: '/etc/x' }], /'\/etc\/x' is an absolute path/],
    ['..', [{ name: 'a/../../x' }], /'a\/\.\.\/\.\.\/x' leads out of the bundle/],
    ['.. at the end of a folder', [{ name: 'a/..', type: 'directory' }], /leads out/],
    ['an empty part', [{ name: 'a//b' }], /'a\/\/b' is not a path in its plain form/],
    ['a dot inside', [{ name: 'a/./b' }], /plain form/],
    ['a NUL', [pax('a\0b')], /'a\\u0000b' has a NUL/],
    ['bad UTF-8', [pax('a\uFFFD')], /not valid UTF-8/],
    ['a long name', [pax(long)], /'n+….*' has a name longer than 255 bytes/],
    ['a long path', [pax('d/'.repeat(600))], /longer than 1024 bytes/],
    ['a device', [{ name: 'null', type: 'character-device' }], /'null' is a character device/],
    ['a block device', [{ name: 'sda', type: 'block-device' }], /'sda' is a block device/],
    ['a named pipe', [{ name: 'p', type: 'fifo' }], /'p' is a fifo/],
    ['a hard link', [{ name: 'a' }, { name: 'h', type: 'link', linkname: 'a' }], /'h' is a hard link \(tar --hard-dereference/],
    [
      'a link to an absolute path',
      [{ name: 'l', type: 'symlink', linkname: '/etc/passwd' }],
      /'l' is a link to '\/etc\/passwd', an absolute path/,
    ],
    [
      'a link out',
      [{ name: 'd/l', type: 'symlink', linkname: '../../x' }],
      /'d\/l' is a link to '..\/..\/x', which may lead out/,
    ],
    ['a link that climbs after it descended', [{ name: 'd/l', type: 'symlink', linkname: 'e/../x' }], /which may lead out/],
    ['an empty link', [{ name: 'l', type: 'symlink', linkname: '' }], /'l' is a link whose target is empty/],
    [
      'a file below a link',
      [{ name: 'l', type: 'symlink', linkname: '.' }, { name: 'l/x' }],
      /'l\/x' needs 'l' to be a folder and a file at once/,
    ],
    ['a link in place of a folder', [{ name: 'l/x' }, { name: 'l', type: 'symlink', linkname: '.' }], /needs 'l' to be a folder/],
    ['a file twice', [{ name: 'a' }, { name: './a' }], /'\.?\/?a' is there twice/],
    ['a file over a link', [{ name: 'a', type: 'symlink', linkname: 'b' }, { name: 'a' }], /'a' is there twice/],
    ['names that differ in case', [{ name: 'a/Key' }, { name: 'A/key' }], /'A\/key' differs from 'a' only in case/],
    ['names that differ in Unicode form', [{ name: 'e\u0301' }, { name: '\u00e9' }], /only in case or Unicode form/],
    ['no files', [{ name: 'd', type: 'directory' }], /it has no files/],
    ['nothing', [], /it has no files/],
  ];
  for (const [title, entries, message] of refusals) {
    test(`is refused for ${title}, and leaves nothing`, async (t) => {
      const outer = temporaryFolder(t);
      const store = await BundleStore.open(join(outer, 'bundles'));
      await assert.rejects(
        store.put(archiveOf([...(entries.length > 0 ? [{ name: 'fine', type: 'directory' as const }] : []), ...entries])),
        { name: 'PrisnError', code: 'usage', message },
      );
      assert.deepEqual(readdirSync(outer), ['bundles']);
      assert.deepEqual(readdirSync(join(outer, 'bundles')), []);
    });
  }

  test('is refused when it is no gzip, no tar, or was cut', async (t) => {
    const folder = temporaryFolder(t);
    const store = await BundleStore.open(folder);
    const whole = await buffer(archiveOf([{ name: 'a', content: randomBytes(5000) }]));
    const broken = [
      Buffer.from('hello'),
      Buffer.alloc(0),
      gzipSync('x'.repeat(600)),
      gzipSync('hello'),
      whole.subarray(0, -1),
      whole.subarray(0, 100),
      gzipSync(randomBytes(5000)),
    ];
    for (const bytes of broken)
      await assert.rejects(store.put(Readable.from([bytes])), { code: 'usage', message: /not a whole gzipped tar|no files/ });
    assert.deepEqual(readdirSync(folder), []);
  });

  test('is refused when an upload breaks off, with the error of the connection', async (t) => {
    const folder = temporaryFolder(t);
    const store = await BundleStore.open(folder);
    const broken = Readable.from(
      (async function* () {
        yield gzipSync(Buffer.alloc(100));
        throw Object.assign(new Error('gone'), { code: 'ECONNRESET' });
      })(),
    );
    await assert.rejects(store.put(broken), { code: 'ECONNRESET' });
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('a bomb', () => {
  test('of one large file is refused before it is unpacked', async (t) => {
    const folder = temporaryFolder(t);
    const store = await BundleStore.open(folder, small);
    const header = tar.pack();
    header.entry({ name: 'zeros', size: 2 ** 40 });
    const [first] = (await once(header, 'data')) as [Buffer];
    let zeros = 0;
    const endless = Readable.from(
      (function* () {
        yield first;
        for (;;) yield Buffer.alloc((zeros += 65_536) && 65_536);
      })(),
    );
    const stream = pipeline(endless, createGzip(), () => {});
    await assert.rejects(store.put(stream), { code: 'too_large', message: /larger than 1 MB unpacked/ });
    // It may be a request that waits for its answer.
    assert.ok(!stream.destroyed);
    stream.destroy();
    assert.ok(zeros < 2 ** 28, `${zeros} bytes were read`);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('of many files, of headers, of folders in a path, or of packed bytes is refused at its limit', async (t) => {
    const folder = temporaryFolder(t);
    const store = await BundleStore.open(folder, small);
    const many = Array.from({ length: 101 }, (_, i) => ({ name: `f${i}` }));
    await assert.rejects(store.put(archiveOf(many)), { code: 'too_large', message: /more than 100 files/ });
    await assert.rejects(store.put(archiveOf([{ name: 'd/'.repeat(101) + 'f' }])), {
      code: 'too_large',
      message: /more than 100 files/,
    });
    const headers = Array.from({ length: 4 }, (_, i) => ({ name: `f${i}`, pax: { comment: 'x'.repeat(300_000) } }));
    await assert.rejects(store.put(archiveOf(headers)), { code: 'too_large', message: /1 MB unpacked/ });
    const packed = { name: 'random', content: randomBytes(2 ** 20 - 5000) };
    await assert.rejects((await BundleStore.open(folder, { ...small, packedBytes: 2 ** 19 })).put(archiveOf([packed])), {
      code: 'too_large',
      message: /MB packed/,
    });
    assert.deepEqual(readdirSync(folder), []);
  });
});

test('a tree with hard links goes up as files of their own', async (t) => {
  const folder = writeTree(temporaryFolder(t), { a: 'x' });
  mkdirSync(join(folder, 'd'));
  linkSync(join(folder, 'a'), join(folder, 'd/b'));
  const store = await BundleStore.open(temporaryFolder(t));
  assert.deepEqual(readTree(store.open((await upload(store, folder)).id)), { a: 'x', 'd/b': 'x' });
});
