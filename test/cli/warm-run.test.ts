/** `prisn run` of JavaScript with a daemon: nothing but the time it takes may be another than without. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, describe, test, type TestContext } from 'node:test';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import { encodeFrame } from '../../src/base/frames.ts';
import { foregroundHostBytes, ForegroundRuns } from '../../src/engine/foreground-runs.ts';
import type { ForegroundPool } from '../../src/engine/served-run.ts';
import { foregroundDomain } from '../../src/model/foreground-run.ts';
import { Launches } from '../../src/launch.ts';
import { clients } from '../clients.ts';
import { full } from '../full.ts';
import { prisn, type Result, root, type RunOptions, startPrisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { startWarmServer, type WarmServer } from '../warm-server.ts';

const scratch = new Scratch();
const home = scratch.folder('home');
const place = { TZ: 'America/New_York', LANG: 'en_US.UTF-8' };
const pool = new IsolatePool({
  threads: 2,
  maxHostBytes: 200 * 2 ** 20,
  maxDomainBytes: { [foregroundDomain]: foregroundHostBytes(totalmem(), 200 * 2 ** 20) },
  env: place,
});
let started = 0;
const counted: ForegroundPool = {
  start: (...task) => {
    started++;
    return pool.start(...task);
  },
};
const tickets = { ticket: () => ({ why: 'these are tests of JavaScript' }) };
const launches = new Launches({
  install: join(root, 'dist/prisn.cjs'),
  cacheDir: join(home, 'cache'),
  environmentsDir: join(home, 'environments'),
  tickets,
});
const runs = new ForegroundRuns(counted, { env: place, launch: (request) => launches.way(request) });
let server: WarmServer;

before(async () => {
  server = await startWarmServer(home, (socket, head) => runs.serve(socket, head));
});
after(async () => {
  await server.close();
  await pool.close();
});

function environment(socket = server.socket, extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...place, GREETING: 'hello', PRISN_HOME: home, PRISN_SOCKET: socket, ...extra };
}

const colds = new Map<string, Promise<Result>>();

/** A run without a daemon, the same for both clients. */
function cold(words: readonly string[], options: RunOptions = {}): Promise<Result> {
  const key = JSON.stringify([words, options]);
  const known = colds.get(key);
  if (known) return known;
  const env = environment(server.socket, { ...options.env, PRISN_DAEMON: 'off' });
  const result = prisn(['run', ...words], { ...options, env });
  colds.set(key, result);
  return result;
}

for (const client of clients) {
  describe(`${client.name}:`, client.options, () => {
    /** @returns the result, and how many programs ran in the daemon */
    async function warm(words: readonly string[], options: RunOptions = {}): Promise<Result & { warm: number }> {
      const count = started;
      const result = await prisn(['run', ...words], {
        ...options,
        env: environment(server.socket, { ...client.env, ...options.env }),
      });
      return { ...result, warm: started - count };
    }

    describe('through a daemon as without does', () => {
      const folder = join(root, 'test/fixtures/ordinary');
      const all = readdirSync(folder).filter((name) => /\.(?:js|mjs|ts)$/.test(name));
      const scripts = full ? all : all.filter((_, index) => index % 5 === 0);
      for (const script of scripts) {
        test(script, async () => {
          const [, name, json = 'null'] = /^\/\/ (args|stdin): (.+)$/m.exec(readFileSync(join(folder, script), 'utf8')) ?? [];
          const given: unknown = JSON.parse(json);
          const words = [join(folder, script), ...(name === 'args' ? (given as string[]) : [])];
          const options = { cwd: folder, stdin: name === 'stdin' ? String(given) : '', encoding: 'latin1' } as const;
          const [there, here] = [await warm(words, options), await cold(words, options)];
          assert.deepEqual(
            [there.stdout, there.stderr, there.code, there.signal],
            [here.stdout, here.stderr, here.code, here.signal],
          );
          assert.ok(there.warm > 0);
        });
      }
    });

    test('limits that an isolate can have are held, with the same words and exit codes as below a process', async () => {
      const loops = scratch.file('loops.js', 'for (;;);');
      const hoards = scratch.file('hoards.js', "const all = []; for (;;) all.push('x'.repeat(1000) + all.length)");
      for (const words of [
        ['--timeout', '300ms', loops],
        ['--memory', '64mb', hoards],
      ]) {
        const [there, here] = [await warm(words), await cold(words)];
        assert.deepEqual([there.warm, there.code], [1, here.code], there.stderr);
        assert.match(there.stderr, /^prisn: the program /);
      }
      const hello = scratch.file('hello.js', "console.log('hello')");
      assert.deepEqual(pick(await warm(['--pids', '64', hello])), { code: 0, stdout: 'hello\n', warm: 0 });
    });

    test('a program that needs more than executions may have gets it', async () => {
      const file = scratch.file(
        'takes-600-mb.js',
        'const all = []; for (let i = 0; i < 75; i++) all.push(new Array(1e6).fill(i + 0.5)); console.log(all.length)',
      );
      assert.deepEqual(pick(await warm([file])), { code: 0, stdout: '75\n', warm: 1 });
    });

    test('a megabyte at a time reaches a reader that is slow, whole and in order', async () => {
      const file = scratch.file('writes-8-mb.js', "for (let i = 0; i < 1e6; i++) console.log(String(i).padStart(7, '0'))");
      const result = await warm([file], {
        command: ['/bin/sh', '-c', `"$0" "$@" | { sleep 0.3; cat; }`, join(root, 'bin/prisn')],
      });
      const lines = result.stdout.split('\n');
      assert.deepEqual([lines.length, lines[999_999], result.warm], [1_000_001, '0999999', 1]);
      assert.ok(lines.slice(0, -1).every((line, i) => Number(line) === i));
    });

    test('standard input goes to a default export that asks for it, and nowhere else', async () => {
      const asks = scratch.file('asks.mjs', 'export default ({ n }) => n + 1');
      assert.deepEqual(pick(await warm([asks], { stdin: '{"n":1}' })), { code: 0, stdout: '2\n', warm: 1 });
      assert.deepEqual(pick(await warm(['--input', '{"n":2}', asks], { stdin: 'unread' })), { code: 0, stdout: '3\n', warm: 1 });
      const result = await warm([asks], { stdin: '{' });
      assert.deepEqual(pick(result), pick({ ...(await cold([asks], { stdin: '{' })), warm: 1 }));
    });

    test('colours are those of the command that asked', async () => {
      const file = scratch.file('shows.js', 'console.log({ a: 1 })');
      for (const env of [{ FORCE_COLOR: '1' }, { NO_COLOR: '1' }]) {
        const [there, here] = [await warm([file], { env }), await cold([file], { env })];
        assert.deepEqual([there.stdout, there.warm], [here.stdout, 1]);
      }
    });

    test('what would make a difference is run here', async () => {
      const file = scratch.file('zone.js', 'console.log(new Date(0).getHours(), process.env.TZ)');
      const result = await warm(['-v', '-e', 'TZ=Asia/Tokyo', file]);
      assert.deepEqual([result.stdout, result.warm], ['9 Asia/Tokyo\n', 0]);
      assert.match(result.stderr, /not in the daemon, since the server has another time zone/);
      for (const env of [{ PRISN_DAEMON: 'off' }, { PRISN_SERVER: 'http://example.com' }])
        assert.deepEqual(pick(await warm([file], { env })), { code: 0, stdout: '19 America/New_York\n', warm: 0 });
    });

    test('a signal ends the command as without a daemon, and its program with it', async () => {
      const file = scratch.file('waits.js', "console.log('up'); setInterval(() => {}, 1000)");
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        const child = startPrisn(['run', file], { env: { ...client.env, ...environment() } });
        const exited = new Promise((resolve) => child.once('exit', (code, by) => resolve([code, by])));
        child.stdout?.once('data', () => child.kill(signal));
        assert.deepEqual(await exited, [null, signal]);
      }
      // Its end takes a moment to reach the pool.
      while (pool.stats().running > 0) await new Promise(setImmediate);
    });

    test('a disk that is full under its output is told', async () => {
      const file = scratch.file('writes.js', "console.log('out')");
      const result = await warm([file], { command: ['/bin/sh', '-c', '"$0" "$@" >/dev/full', join(root, 'bin/prisn')] });
      assert.deepEqual(
        [result.code, result.stderr],
        [125, "prisn: cannot write the program's output: ENOSPC: no space left on device, write\n"],
      );
    });

    test('a reader that goes away ends the program', async () => {
      const file = scratch.file('yes.js', "for (;;) console.log('y')");
      const result = await warm([file], { command: ['/bin/sh', '-c', `"$0" "$@" | head -n 1`, join(root, 'bin/prisn')] });
      assert.deepEqual([result.stdout, result.stderr, result.warm], ['y\n', '', 1]);
      while (pool.stats().running > 0) await new Promise(setImmediate);
    });

    describe('a daemon that', () => {
      const hello = scratch.file('greets.js', "console.log('hello')");
      const asks = scratch.file('asks-2.mjs', 'export default ({ n }) => n + 1');

      test('is not there, does not answer, refuses, or dies before anything was seen makes no difference', async (t) => {
        const answers: Readonly<Record<string, (socket: Duplex) => void>> = {
          refuses: (socket) => socket.end(encodeFrame('N', '{"why":"it is busy"}')),
          dies: (socket) => socket.once('data', () => socket.destroy()),
          'is interrupted': (socket) =>
            socket.end(encodeFrame('E', '{"reason":"interrupted","exitCode":125,"message":"it stops"}')),
          'speaks nonsense': (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'),
        };
        const sockets = [scratch.path('nowhere.sock'), scratch.file('no.sock'), await silentServer(t)];
        for (const answer of Object.values(answers)) sockets.push((await other(t, answer)).socket);
        for (const socket of sockets) {
          const result = await prisn(['run', hello], { env: { ...client.env, ...environment(socket) } });
          assert.deepEqual([result.code, result.stdout, result.stderr], [0, 'hello\n', ''], socket);
        }
      });

      test('dies after something was seen is told, and nothing runs twice', async (t) => {
        const afterOutput = await other(t, (socket) => {
          socket.once('data', () => socket.end(encodeFrame('1', 'once\n')));
        });
        const afterInput = await other(t, (socket) => {
          socket.once('data', () => {
            socket.write(encodeFrame('W'));
            socket.once('data', () => socket.destroy());
          });
        });
        const output = await prisn(['run', hello], { env: { ...client.env, ...environment(afterOutput.socket) } });
        assert.deepEqual([output.code, output.stdout], [125, 'once\n']);
        const input = await prisn(['run', asks], { env: { ...client.env, ...environment(afterInput.socket) }, stdin: '{"n":1}' });
        assert.deepEqual([input.code, input.stdout], [125, '']);
        for (const { stderr } of [output, input]) assert.match(stderr, /^prisn: the daemon ended, or broke the connection/);
      });
    });
  });
}

let others = 0;

function other(t: TestContext, serve: (socket: Duplex) => void): Promise<WarmServer> {
  return startWarmServer(scratch.folder(`other-${others++}`), (socket) => {
    socket.on('error', () => {});
    serve(socket);
  }).then((started) => {
    t.after(() => started.close());
    return started;
  });
}

/** It takes connections and says nothing. */
async function silentServer(t: TestContext): Promise<string> {
  const { createServer } = await import('node:net');
  const path = scratch.path('silent.sock');
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(path, resolve));
  t.after(() => silent.close());
  return path;
}

function pick({ code, stdout, warm }: Result & { warm: number }) {
  return { code, stdout, warm };
}
