/** The stub `bin/prisn`: in a checkout of its own, with nodes that only say who they are. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bin, prisn, type Result, root, temporaryFolder } from './prisn.ts';

const folder = temporaryFolder();

interface Checkout {
  readonly root: string;
  /** Folder for a node on the PATH. */
  readonly path: string;
  run(...words: string[]): Promise<Result>;
}

/** A `node` that writes its name and arguments, passes the stub's probe or not, and counts the probes. */
function fakeNode(file: string, name: string, fit: boolean): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(
    file,
    `#!/bin/sh\nif [ "$1" = -e ]; then echo probed >>"${file}.probes"; exit ${fit ? 0 : 1}; fi\necho ${name} "$@"\n`,
  );
  chmodSync(file, 0o755);
  utimesSync(file, 1, 1); // older than any record about it
}

function checkout({ bundled = true, dist = true }: { bundled?: boolean; dist?: boolean } = {}): Checkout {
  const top = mkdtempSync(join(folder, 'checkout-'));
  const path = join(top, 'path');
  mkdirSync(join(top, 'bin'));
  mkdirSync(join(top, 'dist'));
  mkdirSync(path);
  copyFileSync(bin, join(top, 'bin/prisn'));
  if (bundled) fakeNode(join(top, 'node_modules/.bin/node'), 'bundled', true);
  if (dist) writeFileSync(join(top, 'dist/prisn.cjs'), '');
  return {
    root: top,
    path,
    run: (...words) => prisn(words, { command: [join(top, 'bin/prisn')], env: { PATH: `${path}:/usr/bin/../bin:/bin` } }),
  };
}

const probes = (file: string): number => readFileSync(`${file}.probes`, 'utf8').split('\n').length - 1;

describe('the stub', () => {
  test('starts the first node on the PATH when prisn works with it, and asks it once', async () => {
    const { path, run } = checkout();
    fakeNode(join(path, 'node'), 'system', true);
    for (let time = 0; time < 3; time++)
      assert.match((await run('run', 'x y')).stdout, /^system -- \S*dist\/prisn\.cjs run x y\n$/);
    assert.equal(probes(join(path, 'node')), 1);
  });

  test('asks again when that node has changed', async () => {
    const { path, run } = checkout();
    const node = join(path, 'node');
    fakeNode(node, 'system', true);
    await run();
    utimesSync(node, Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    await run();
    assert.equal(probes(node), 2);
  });

  test('starts the node of the checkout when the one on the PATH is not fit', async () => {
    const { path, run } = checkout();
    fakeNode(join(path, 'node'), 'system', false);
    assert.match((await run()).stdout, /^bundled /);
  });

  test('says in one line what to type when there is no node to start', async () => {
    const { path, root: top, run } = checkout({ bundled: false });
    fakeNode(join(path, 'node'), 'system', false);
    const result = await run('run', 'x.js');
    assert.deepEqual([result.code, result.stdout], [125, '']);
    assert.match(result.stderr, /^prisn: needs Node 24 or newer[^\n]*type: npm install --prefix '[^\n]*'\n$/);
    assert.ok(result.stderr.includes(top));
  });

  test('runs from source where nothing is built', async () => {
    assert.match((await checkout({ dist: false }).run('version')).stdout, /src\/cli\/prisn\.ts version\n$/);
  });

  test('follows links to itself, also relative ones and one after another', async () => {
    const { root: top } = checkout();
    mkdirSync(join(top, 'links'));
    symlinkSync('../bin/prisn', join(top, 'links/first'));
    symlinkSync(join(top, 'links/first'), join(top, 'links/second'));
    symlinkSync('second', join(top, 'links/third'));
    const result = await prisn(['x'], { command: [join(top, 'links/third')], env: { PATH: '/nowhere:/usr/bin:/bin' } });
    assert.match(result.stdout, /^bundled -- .*dist\/prisn\.cjs x\n$/);
  });
});

describe('prisn runs the same', () => {
  const program = join(folder, 'program.ts');
  writeFileSync(
    program,
    'enum E { A = "both" }\nexport default (n: number) => ({ said: E.A, n });\nconsole.log(new Map([[1, { a: [1] }]]));\n',
  );

  for (const [how, file] of [
    ['from source', 'src/cli/prisn.ts'],
    ['from dist', 'dist/prisn.cjs'],
  ] as const) {
    test(how, async () => {
      const options = { command: [process.execPath, '--', join(root, file)] as [string, ...string[]] };
      const script = await prisn(['run', '--input', '3', program], options);
      assert.deepEqual(
        [script.code, script.stdout, script.stderr],
        [0, 'Map(1) { 1 => { a: [ 1 ] } }\n{"said":"both","n":3}\n', ''],
      );
      const limited = await prisn(['run', '--timeout', '30s', '--runtime', 'sh', '--exec', 'echo "$1"', 'arg'], options);
      assert.deepEqual([limited.code, limited.stdout, limited.stderr], [0, 'arg\n', '']);
    });
  }
});
