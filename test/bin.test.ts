/** The stub `bin/prisn`: in a checkout of its own, with nodes that only say who they are. */
import assert from 'node:assert/strict';
import { copyFileSync, linkSync, readFileSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { needs, needsNamespaces } from './machine.ts';
import { bin, prisn, type Result, root } from './prisn.ts';
import { Scratch } from './scratch.ts';

class Checkout extends Scratch {
  constructor(t: TestContext, { bundled = true, dist = true } = {}) {
    super(t);
    this.folder('bin');
    this.folder('dist');
    copyFileSync(bin, this.path('bin/prisn'));
    if (bundled) this.fakeNode('node_modules/.bin/node', 'bundled', true);
    if (dist) this.file('dist/prisn.cjs');
  }

  /** A `node` that writes its name and arguments, passes the stub's probe or not, and counts the probes. */
  fakeNode(path: string, name: string, fit: boolean): string {
    const probe = `if [ "$1" = -e ]; then echo probed >>"$0.probes"; exit ${fit ? 0 : 1}; fi`;
    const file = this.script(path, `${probe}\necho ${name} "$@"`);
    utimesSync(file, 1, 1); // older than any record about it
    return file;
  }

  /** The node that is on the PATH. */
  systemNode(fit: boolean): string {
    return this.fakeNode('path/node', 'system', fit);
  }

  run(...words: string[]): Promise<Result> {
    return prisn(words, { command: [this.path('bin/prisn')], env: { PATH: `${this.path('path')}:/usr/bin/../bin:/bin` } });
  }
}

const probes = (file: string): number => readFileSync(`${file}.probes`, 'utf8').split('\n').length - 1;

describe('the stub', () => {
  test('starts the first node on the PATH when prisn works with it, and asks it once', async (t) => {
    const checkout = new Checkout(t);
    const node = checkout.systemNode(true);
    for (let time = 0; time < 3; time++)
      assert.match((await checkout.run('run', 'x y')).stdout, /^system -- \S*dist\/prisn\.cjs run x y\n$/);
    assert.equal(probes(node), 1);
  });

  test('asks again when that node has changed', async (t) => {
    const checkout = new Checkout(t);
    const node = checkout.systemNode(true);
    await checkout.run();
    utimesSync(node, Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    await checkout.run();
    assert.equal(probes(node), 2);
  });

  test('starts the node of the checkout when the one on the PATH is not fit', async (t) => {
    const checkout = new Checkout(t);
    checkout.systemNode(false);
    assert.match((await checkout.run()).stdout, /^bundled /);
  });

  test('says in one line what to type when there is no node to start', async (t) => {
    const checkout = new Checkout(t, { bundled: false });
    checkout.systemNode(false);
    const result = await checkout.run('run', 'x.js');
    assert.deepEqual([result.code, result.stdout], [125, '']);
    assert.match(result.stderr, /^prisn: needs Node 24 or newer[^\n]*type: npm install --prefix '[^\n]*'\n$/);
    assert.ok(result.stderr.includes(checkout.root));
  });

  test('runs from source where nothing is built', async (t) => {
    assert.match((await new Checkout(t, { dist: false }).run('version')).stdout, /src\/cli\/prisn\.ts version\n$/);
  });

  test('follows links to itself, also relative ones and one after another', async (t) => {
    const checkout = new Checkout(t);
    checkout.folder('links');
    symlinkSync('../bin/prisn', checkout.path('links/first'));
    symlinkSync(checkout.path('links/first'), checkout.path('links/second'));
    symlinkSync('second', checkout.path('links/third'));
    const result = await prisn(['x'], { command: [checkout.path('links/third')], env: { PATH: '/nowhere:/usr/bin:/bin' } });
    assert.match(result.stdout, /^bundled -- .*dist\/prisn\.cjs x\n$/);
  });
});

describe('the stub behind a link', () => {
  /** @returns the checkout that a link to `linked` leads to when `told` is where a daemon says that it is */
  async function found(linked: Checkout, told: Checkout): Promise<string> {
    const home = new Scratch();
    home.file('daemon.json', JSON.stringify({ install: told.path('dist/prisn.cjs'), pid: 1 }, null, 2));
    symlinkSync(linked.path('bin/prisn'), home.path('prisn'));
    const { stdout } = await prisn(['x'], { command: [home.path('prisn')], env: { PRISN_HOME: home.root } });
    return stdout.split(' ')[2]?.replace('/bin/../dist/prisn.cjs', '') ?? '';
  }

  test('believes a daemon that says where it is', async (t) => {
    const [linked, told] = [new Checkout(t), new Checkout(t)];
    rmSync(told.path('bin/prisn'));
    linkSync(linked.path('bin/prisn'), told.path('bin/prisn'));
    assert.equal(await found(linked, told), told.root);
  });

  test('does not follow a daemon that is another', async (t) => {
    const linked = new Checkout(t);
    assert.equal(await found(linked, new Checkout(t)), linked.root);
  });
});

describe('prisn runs the same', () => {
  const program = new Scratch().file(
    'program.ts',
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

describe('the stub hands on what Node would keep for itself', () => {
  const scratch = new Scratch();

  test('NODE_OPTIONS, which do not reach the node of prisn itself', async () => {
    const file = scratch.file('options.sh', 'echo "$NODE_OPTIONS"');
    const result = await prisn(['run', file], { env: { NODE_OPTIONS: '--no-such-flag' } });
    assert.deepEqual([result.code, result.stdout], [0, '--no-such-flag\n'], result.stderr);
  });

  test('descriptors that the caller opened', async () => {
    const file = scratch.file('three.sh', 'echo to three >&3; cat <&5');
    const script = `"$0" run "$1" 3>&1 5<"$1"`;
    const result = await prisn(['-c', script, bin, file], { command: ['/bin/sh'] });
    assert.equal(result.stdout, 'to three\necho to three >&3; cat <&5');
  });

  test('signals that the caller ignores', needs('python3'), async () => {
    const python = scratch.file('ignored.py', 'import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)');
    const result = await prisn(['-c', 'trap "" HUP; "$0" run "$1"', bin, python], { command: ['/bin/sh'] });
    assert.equal(result.stdout, 'True\n', result.stderr);
    const js = scratch.file('waits.js', "console.log('up'); setTimeout(() => console.log('survived'), 300);");
    const survivor = await prisn(['-c', 'trap "" HUP; "$0" run "$1" & sleep 0.2; kill -HUP $!; wait $!', bin, js], {
      command: ['/bin/sh'],
    });
    assert.match(survivor.stdout, /survived/, survivor.stderr);
  });

  test('being found through a link to its folder', async () => {
    symlinkSync(join(root, 'bin'), scratch.path('linked'));
    symlinkSync('linked/prisn', scratch.path('prisn'));
    const file = scratch.file('hello.js', "console.log('hello')");
    assert.equal((await prisn(['run', file], { command: [scratch.path('prisn')] })).stdout, 'hello\n');
  });

  test('signals and orphans as the first process of a container', needsNamespaces(), async () => {
    const signalled = await prisn(
      ['--pid', '--fork', '--mount-proc', bin, 'run', '--runtime', 'sh', '--exec', `kill -TERM 1; sleep 30`],
      { command: ['unshare'] },
    );
    assert.equal(signalled.code, 143, signalled.stderr);
    const reaped = await prisn(
      [
        '--pid',
        '--fork',
        '--mount-proc',
        bin,
        'run',
        '--runtime',
        'sh',
        '--exec',
        '(sleep 0.1 &); (sleep 0.1 &); sleep 0.5; cat /proc/[0-9]*/stat',
      ],
      { command: ['unshare'] },
    );
    assert.doesNotMatch(reaped.stdout, /\) Z /);
  });
});
