/** Builds that are disturbed: by another one, by kill -9, by a full disk, by time; and what is kept of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { type EnvironmentRequest, Environments, findEnvironment } from '../../src/environments/environments.ts';
import { needs } from '../machine.ts';
import { prisn, startPrisn } from '../prisn.ts';
import { isAlive, until } from '../processes.ts';
import { Scratch } from '../scratch.ts';
import { PythonIndex } from './wheels.ts';

const program = 'import apple\nprint(apple.version)\n';

describe('an environment', { ...needs('python3'), concurrency: 2 }, async () => {
  const index = await PythonIndex.start({ after }, new Scratch());
  index.add({ name: 'apple', version: '1.0' });
  index.add({ name: 'large', version: '1.0', files: { 'large.py': `x = "${'x'.repeat(3 * 2 ** 20)}"\n` } });

  /** A folder with a program that needs an apple of an index of its own, and what is installed for it. */
  const place = async (context: TestContext) => {
    const folder = new Scratch(context);
    const own = await PythonIndex.start(context, folder);
    own.add({ name: 'apple', version: '1.0' });
    folder.file('requirements.txt', 'apple\n');
    folder.file('x.py', program);
    const options = { cwd: folder.root, env: { ...own.env, PRISN_HOME: folder.folder('home') } };
    const environments = folder.path('home/environments');
    const there = (): string[] => (existsSync(environments) ? readdirSync(environments).sort() : []);
    const built = () => there().filter((name) => name.endsWith('.json'));
    return { folder, index: own, options, there, built, environments };
  };

  test('that two processes need at once is built by one of them', async (context) => {
    const { index: own, options, built } = await place(context);
    const gate = Promise.withResolvers<void>();
    own.held = gate.promise;
    const first = prisn(['run', 'x.py'], options);
    await until('the first has begun', () => own.fetched === 1);
    const second = startPrisn(['run', 'x.py'], options);
    const output = { out: '', err: '' };
    second.stdout?.on('data', (text: Buffer) => void (output.out += text));
    second.stderr?.on('data', (text: Buffer) => void (output.err += text));
    await until('the second waits', () =>
      /^prisn: waiting for another prisn, process \d+, that installs the same\n$/.test(output.err),
    );
    gate.resolve();
    const { stdout, stderr } = await first;
    assert.equal(stdout, '1.0\n', stderr);
    await until('the second has run', () => output.out === '1.0\n');
    assert.deepEqual([own.fetched, built().length], [1, 1]);
  });

  test('whose build is killed is built anew, and what was left of it is gone', async (context) => {
    const { index: own, options, there, built } = await place(context);
    const gate = Promise.withResolvers<void>();
    own.held = gate.promise;
    const killed = startPrisn(['run', 'x.py'], options);
    await until('it has begun', () => own.fetched === 1);
    process.kill(killed.pid as number, 'SIGKILL');
    await until('it is gone', () => !isAlive(killed.pid as number));
    const left = there();
    assert.equal(built().length, 0, 'nothing is taken for good');
    assert.ok(
      left.some((name) => /^[0-9a-f]{32}\.[0-9a-f]{12}$/.test(name)),
      left.join(),
    );
    gate.resolve();
    own.held = undefined;
    const { stdout, stderr } = await prisn(['run', 'x.py'], options);
    assert.equal(stdout, '1.0\n', stderr);
    await prisn(['cache', 'clean', '--unused', '1d'], options);
    assert.equal(there().length, 2, `one environment and its record: ${there().join()}`);
  });

  test('whose build is interrupted leaves nothing behind, and its installer ends', async (context) => {
    const { index: own, options, there } = await place(context);
    own.held = new Promise(() => {});
    const child = startPrisn(['run', 'x.py'], options);
    await until('it has begun', () => own.fetched === 1);
    child.kill('SIGTERM');
    const [, signal] = (await once(child, 'exit')) as [unknown, string];
    assert.equal(signal, 'SIGTERM');
    assert.deepEqual(there(), []);
    await until('nobody asks the index', () => own.connections === 0);
  });

  test('that takes too long is given up', async (context) => {
    const { index: own, options, there } = await place(context);
    own.held = new Promise(() => {});
    const { code, stderr } = await prisn(['run', 'x.py'], { ...options, env: { ...options.env, PRISN_BUILD_TIMEOUT: '3s' } });
    assert.match(stderr, /^prisn: requirements\.txt by \w+: .* took too long; give it more time by build_timeout$/m);
    assert.deepEqual([code, there()], [125, []]);
  });

  test('that is larger than all may be is refused', async (context) => {
    const { folder, options, there } = await place(context);
    folder.file('requirements.txt', 'large\n');
    const { code, stderr } = await prisn(['run', 'x.py'], {
      ...options,
      env: { ...options.env, ...index.env, PRISN_ENVIRONMENTS_SIZE: '2mb' },
    });
    assert.match(stderr, /it takes \d+ MB of disk, and all environments may have 2 MB; raise environments_size$/m);
    assert.deepEqual([code, there()], [125, []]);
  });

  const full = process.getuid?.() === 0 ? false : 'only root may mount a small disk';
  test('for which the disk is too small leaves nothing behind', { skip: full }, async (context) => {
    const { folder, options, there } = await place(context);
    folder.file('requirements.txt', 'large\n');
    folder.folder('home/environments');
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', folder.path('home/environments')]);
    if (mounted.status !== 0) return context.skip('nothing can be mounted here');
    try {
      const { code, stderr } = await prisn(['run', 'x.py'], { ...options, env: { ...options.env, ...index.env } });
      assert.match(stderr, /^prisn: requirements\.txt by \w+: .*the disk (?:is )?full; free some, or run prisn cache clean$/m);
      assert.deepEqual([code, there()], [125, []]);
    } finally {
      spawnSync('umount', ['-l', folder.path('home/environments')]);
    }
  });

  test('is closed for writing, and found out when it was changed all the same', async (context) => {
    const { options, built, environments } = await place(context);
    await prisn(['run', 'x.py'], options);
    const name = readdirSync(environments).find((entry) => !entry.endsWith('.json')) as string;
    const [version] = readdirSync(join(environments, name, 'lib'));
    const file = join(environments, name, 'lib', version as string, 'site-packages/apple.py');
    assert.equal(statSync(file).mode & 0o222, 0);
    assert.equal(statSync(join(file, '..')).mode & 0o222, 0);
    const good = await prisn(['cache', 'verify'], options);
    assert.deepEqual([good.code, good.stdout], [0, '1 of 1 are as they were installed\n']);
    chmodSync(file, 0o644);
    appendFileSync(file, "version = 'bad'\n");
    const bad = await prisn(['cache', 'verify'], options);
    assert.deepEqual([bad.code, bad.stdout], [1, '0 of 1 are as they were installed\n']);
    assert.match(bad.stderr, /its files are not those that were installed; it is removed/);
    assert.equal(built().length, 0);
    assert.equal((await prisn(['run', 'x.py'], options)).stdout, '1.0\n');
  });

  test('whose folder is gone is built anew', async (context) => {
    const { options, environments } = await place(context);
    await prisn(['run', 'x.py'], options);
    for (const name of readdirSync(environments))
      if (!name.endsWith('.json')) rmSync(join(environments, name), { recursive: true });
    assert.equal((await prisn(['run', 'x.py'], options)).stdout, '1.0\n');
  });

  test('that a program uses stays when all are cleaned', async (context) => {
    const { folder, options } = await place(context);
    folder.file('x.py', `import apple, time\nopen('started', 'w').close()\ntime.sleep(60)\n`);
    const running = startPrisn(['run', 'x.py'], options);
    await until('it runs', () => existsSync(folder.path('started')));
    const used = await prisn(['cache', 'clean'], options);
    assert.equal(used.stdout, 'removed 0 of 1, 0.0 MB\n');
    assert.match(used.stderr, /1 of them stay, as programs that run use them/);
    running.kill('SIGTERM');
    await once(running, 'exit');
    assert.match((await prisn(['cache', 'clean'], options)).stdout, /^removed 1 of 1, /);
  });

  test('that was not used for longest goes when all together are too large', async (context) => {
    const folder = new Scratch(context);
    const root = folder.path('environments');
    const environments = new Environments({ root, buildTimeoutMs: 60_000, maxBytes: 20 * 2 ** 20 });
    context.after(() => environments.close());
    const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).stdout.trim();
    const request = (name: string): EnvironmentRequest => ({
      needs: {
        language: 'python3',
        form: 'options',
        source: folder.root,
        folder: folder.root,
        requirements: ['large', `${name}; python_version < "3"`],
        isPackage: false,
        requiresPython: '',
      },
      interpreter: { file: python, version: '3' },
      env: { PATH: process.env['PATH'] ?? '', HOME: folder.root, ...index.env },
      frozen: false,
    });
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(request) as [
      EnvironmentRequest,
      EnvironmentRequest,
      EnvironmentRequest,
      EnvironmentRequest,
    ];
    const use = async (one: EnvironmentRequest, hoursAgo: number): Promise<void> => {
      await environments.prepare(one);
      const { folder: built } = findEnvironment(root, one) as { folder: string };
      const then = new Date(Date.now() - hoursAgo * 3_600_000);
      utimesSync(`${built.split('.').slice(0, -1).join('.')}.json`, then, then);
    };
    await use(a, 3);
    await use(b, 9);
    const bytes = (await environments.list()).map((one) => one.bytes);
    const small = new Environments({ root, buildTimeoutMs: 60_000, maxBytes: Math.max(...bytes) * 2 + 1000 });
    context.after(() => small.close());
    await small.prepare(c);
    const left = [a, b, c, d].map((one) => findEnvironment(root, one) !== undefined);
    assert.deepEqual(left, [true, false, true, false]);
  });
});
