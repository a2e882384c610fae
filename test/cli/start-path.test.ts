/** What a run loads before its program starts: every module here is time that each run pays. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeFrame } from '../../src/base/frames.ts';
import { needs } from '../machine.ts';
import { prisn, root } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';
import { startWarmServer } from '../warm-server.ts';

const entry = join(root, 'dist/prisn.cjs');
const scratch = new Scratch();
const recorder = scratch.file(
  'recorder.cjs',
  `const before = new Set(process.moduleLoadList);
   process.on('exit', () => {
     const packages = Object.keys(require.cache).flatMap((file) => /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(file)?.[1] ?? []);
     const builtins = process.moduleLoadList.filter((name) => !before.has(name)).map((name) => name.split(' ').at(-1));
     require('node:fs').writeSync(2, JSON.stringify([...new Set([...builtins, ...packages])]));
   });`,
);

/** Costly ones of node's, measured (bench/README.md): crypto 5 ms, http 25, perf_hooks 1.5, tls, worker_threads, tty 3 where net is not needed. */
const costly = ['crypto', 'http', 'https', 'tls', 'perf_hooks', 'worker_threads', 'zlib', 'readline', 'inspector', 'tty'];

async function loadedFor(name: string, text: string, env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const file = scratch.file(name, text);
  const { stdout, loaded } = await recorded(['run', file], env);
  assert.equal(stdout, 'hello\n');
  return loaded;
}

async function recorded(words: readonly string[], env: NodeJS.ProcessEnv): Promise<{ stdout: string; loaded: string[] }> {
  const { code, stdout, stderr } = await prisn(words, { command: [process.execPath, '-r', recorder, '--', entry], env });
  assert.equal(code, 0, stderr);
  return { stdout, loaded: JSON.parse(stderr) as string[] };
}

test('hello world in JavaScript loads isolated-vm, and neither child_process nor net', async () => {
  const loaded = await loadedFor('hello.js', "console.log('hello')");
  assert.ok(loaded.includes('isolated-vm'));
  for (const name of [...costly, 'child_process', 'net', 'commander', 'esbuild', 'acorn', 'es-module-lexer', 'piscina']) {
    assert.ok(!loaded.includes(name), `loads ${name}`);
  }
});

test('hello world in JavaScript with a daemon loads net, and neither isolated-vm nor an HTTP library', async (t) => {
  const end = encodeFrame('E', JSON.stringify({ reason: 'exit', exitCode: 0 }));
  const { socket, close } = await startWarmServer(scratch.root, (client) => {
    client.once('data', () => client.end(Buffer.concat([encodeFrame('1', 'hello\n'), end])));
  });
  t.after(close);
  const loaded = await loadedFor('hello.js', "console.log('hello')", { PRISN_SOCKET: socket });
  assert.ok(loaded.includes('net'));
  for (const name of [...costly, 'child_process', 'isolated-vm', 'commander', 'esbuild', 'acorn', 'es-module-lexer', 'piscina']) {
    assert.ok(!loaded.includes(name), `loads ${name}`);
  }
});

test('hello world in Python loads child_process and no package', needs('python3'), async () => {
  const loaded = await loadedFor('hello.py', "print('hello')");
  assert.ok(loaded.includes('child_process'));
  for (const name of [...costly, 'isolated-vm', 'commander', 'esbuild', 'acorn', 'es-module-lexer', 'piscina']) {
    assert.ok(!loaded.includes(name), `loads ${name}`);
  }
});

test('a TypeScript program that has been read before loads no esbuild', async () => {
  await loadedFor('hello.ts', "const text: string = 'hello'; console.log(text)");
  const loaded = await loadedFor('hello.ts', "const text: string = 'hello'; console.log(text)");
  for (const name of ['esbuild', 'acorn', 'es-module-lexer', 'http', 'worker_threads'])
    assert.ok(!loaded.includes(name), `loads ${name}`);
});

test('a command that asks the server loads net, and neither an HTTP library nor a package', async (t) => {
  const server = await Server.start(t);
  await server.request('PUT', '/api/v1/deployments/job', { source: '1', runtime: 'javascript' });
  for (const words of [
    ['trigger', 'job'],
    ['get', 'executions', '-o', 'name'],
    ['get', 'deployments'],
  ]) {
    const { stdout, loaded } = await recorded(words, { PRISN_HOME: server.home });
    assert.match(stdout, /^(?:exec-|NAME)/);
    assert.ok(loaded.includes('net'));
    for (const name of [...costly, 'child_process', 'yaml', 'esbuild'])
      assert.ok(!loaded.includes(name), `${words[0]} loads ${name}`);
  }
});

test('what asks nobody loads not even net', async () => {
  for (const words of [['version'], ['--help'], ['config', 'list']]) {
    const { loaded } = await recorded(words, { PRISN_HOME: scratch.folder('home') });
    for (const name of [...costly, 'net']) assert.ok(!loaded.includes(name), `${words.join(' ')} loads ${name}`);
  }
});

test('V8 takes the code that the build kept for each bundle', () => {
  interface Start {
    scriptOf(file: string, code: Buffer): { readonly cachedDataRejected?: boolean };
    codeFile(file: string): string;
  }
  const { scriptOf, codeFile } = createRequire(import.meta.url)(entry) as Start;
  const bundles = globSync(join(root, 'dist/cli-*.cjs'));
  assert.ok(bundles.length > 3);
  for (const file of bundles) assert.equal(scriptOf(file, readFileSync(codeFile(file))).cachedDataRejected, false, file);
});
