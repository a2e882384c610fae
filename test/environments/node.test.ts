/** JavaScript that runs in node, with packages of the registry that npm is set to, by the tool whose lock file is there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { needs } from '../machine.ts';
import { prisn, type Result } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const tools = new Scratch();
const npm = (folder: string, ...words: string[]): boolean =>
  spawnSync('npm', ['--no-audit', '--no-fund', ...words], { cwd: folder, stdio: 'ignore', timeout: 60_000 }).status === 0;

tools.file('package.json', '{}');
const hasRegistry = needs('npm').skip === false && npm(tools.root, 'install', 'pnpm@9.15.9', 'yarn@1.22.22', 'is-number@7.0.0');
const registry = { skip: !hasRegistry && 'npm reaches no registry' };

/** What this machine needs to reach it. */
const forRegistry = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => /^(?:npm_config_|SSL_CERT_|NODE_EXTRA_CA_CERTS$)|_proxy$/i.test(name)),
);

describe('a program for node brings what it needs', { ...registry, concurrency: 2 }, () => {
  const bin = tools.folder('bin');
  if (hasRegistry) for (const name of ['pnpm', 'yarn']) symlinkSync(join(tools.root, 'node_modules/.bin', name), join(bin, name));

  const place = (context: TestContext, manifest: object = { dependencies: { 'is-number': '7.0.0' } }) => {
    const folder = new Scratch(context);
    folder.file('package.json', JSON.stringify({ name: 'x', version: '1.0.0', ...manifest }));
    const env = { ...forRegistry, PRISN_HOME: folder.folder('home'), PATH: `${bin}:${process.env['PATH']}` };
    const run = (...words: string[]): Promise<Result> => prisn(['run', ...words], { cwd: folder.root, env });
    const lock = (tool: string, ...words: string[]): void => {
      const { status, stderr } = spawnSync(tool, words, { cwd: folder.root, env: { ...process.env, ...env }, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    };
    return { folder, run, lock };
  };

  const programs = {
    'x.mjs': "import 'node:fs';\nimport isNumber from 'is-number';\nconsole.log(isNumber('5'), isNumber('a'));\n",
    'x.cjs': "const isNumber = require('is-number');\nconsole.log(isNumber('5'), isNumber('a'));\n",
    'x.ts':
      "import 'node:fs';\nimport isNumber from 'is-number';\nenum Five { text = '5' }\nconsole.log(isNumber(Five.text), isNumber('a'));\n",
  };
  for (const [name, text] of Object.entries(programs))
    test(`${name}, without a lock`, async (context) => {
      const { folder, run } = place(context);
      folder.file(`sub/${name}`, text);
      const first = await run(`sub/${name}`);
      assert.equal(first.stdout, 'true false\n', first.stderr);
      assert.equal(first.stderr.split('\n')[0], 'prisn: installing package.json by npm, once');
      assert.ok(!existsSync(folder.path('node_modules')), 'the folder stays as it is');
      const second = await run(`sub/${name}`);
      assert.deepEqual([second.stdout, second.stderr], ['true false\n', '']);
    });

  const locks: Record<string, readonly [tool: string, ...words: string[]]> = {
    'package-lock.json': ['npm', 'install', '--package-lock-only'],
    'pnpm-lock.yaml': ['pnpm', 'install', '--lockfile-only'],
    'yarn.lock': ['yarn', 'install', '--ignore-scripts', '--non-interactive'],
  };
  for (const [file, [tool, ...words]] of Object.entries(locks))
    test(`as ${file} says`, async (context) => {
      const { folder, run, lock } = place(context, { dependencies: { 'is-number': '^7.0.0' } });
      folder.file('x.mjs', programs['x.mjs']);
      lock(tool, ...words);
      rmSync(folder.path('node_modules'), { recursive: true, force: true });
      const { stdout, stderr } = await run('--frozen', 'x.mjs');
      assert.equal(stdout, 'true false\n', stderr);
      assert.equal(stderr.split('\n')[0], `prisn: installing ${file} by ${tool}, once`);
    });

  test('in an isolate, where the packages need nothing of node', async (context) => {
    const { folder, run } = place(context);
    folder.file('x.mjs', "import isNumber from 'is-number';\nconsole.log(isNumber('5'), isNumber('a'));\n");
    for (let i = 0; i < 2; i++) {
      const { stdout, stderr } = await run('-v', 'x.mjs');
      assert.equal(stdout, 'true false\n', stderr);
      assert.match(stderr, /^prisn: javascript \(extension \.mjs\): isolate$/m);
    }
  });

  test('in a server, as a function', async (context) => {
    const { folder } = place(context);
    folder.file('x.js', "import isNumber from 'is-number';\nexport default (input) => isNumber(input);\n");
    const server = await Server.start(context, { env: forRegistry });
    const deployed = await server.prisn(['deploy', folder.path('x.js')]);
    assert.match(deployed.stdout, /x: created \(job, javascript\)/, deployed.stderr);
    const { text } = await server.request('POST', '/fn/x', '"5"', { 'content-type': 'application/json' });
    assert.equal(text.trim(), 'true');
  });

  test('or uses its own node_modules as it is', async (context) => {
    const { folder, run } = place(context, { dependencies: { 'nothing-such-of-prisn': '1.0.0' } });
    folder.file('node_modules/own/package.json', '{"name":"own","main":"x.js"}');
    folder.file('node_modules/own/x.js', 'module.exports = 42;\n');
    folder.file('x.cjs', "console.log(require('own'));\n");
    const { stdout, stderr } = await run('x.cjs');
    assert.deepEqual([stdout, stderr], ['42\n', '']);
  });

  test('and gets nothing with --no-deps', async (context) => {
    const { folder, run } = place(context);
    folder.file('x.cjs', "require('is-number');\n");
    const { code, stderr } = await run('--no-deps', 'x.cjs');
    assert.equal(code, 1);
    assert.match(stderr, /Cannot find module 'is-number'/);
  });

  const failures: Record<string, { manifest?: object; files?: Record<string, string>; words?: string[]; says: RegExp }> = {
    'a package that does not exist': {
      manifest: { dependencies: { '@prisn-test/nothing-such': '1.0.0' } },
      says: /^prisn: package\.json by npm: npm install found no @prisn-test\/nothing-such/m,
    },
    'a version that does not exist': {
      manifest: { dependencies: { 'is-number': '99.0.0' } },
      says: /^prisn: .*found no is-number@99\.0\.0; look at the version/m,
    },
    'a lock that does not fit': {
      files: {
        'package-lock.json': '{"name":"x","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"x","version":"1.0.0"}}}',
      },
      says: /^prisn: package-lock\.json by npm: npm ci found that the lock does not fit package\.json any more/m,
    },
    'no lock with --frozen': { words: ['--frozen'], says: /^prisn: .*package\.json has no lock file, which --frozen asks for/m },
    'a registry that is not reached': {
      files: { '.npmrc': 'registry=http://127.0.0.1:9/\nfetch-retries=0\ncache=./cache\n' },
      says: /^prisn: .*does not reach the index: no network/m,
    },
    'a package by a path': {
      manifest: { dependencies: { own: 'file:./own' } },
      says: /^prisn: .*names own by a path \(file:\.\/own\), which prisn does not install/m,
    },
    'a file that got another content': {
      files: {
        'package-lock.json': JSON.stringify({
          name: 'x',
          version: '1.0.0',
          lockfileVersion: 3,
          packages: {
            '': { name: 'x', version: '1.0.0', dependencies: { 'is-number': '7.0.0' } },
            'node_modules/is-number': { version: '7.0.0', integrity: `sha512-${'A'.repeat(86)}==` },
          },
        }),
        '.npmrc': 'cache=./cache\n',
      },
      says: /^prisn: .*got another file than the lock says/m,
    },
  };
  for (const [what, { manifest, files = {}, words = [], says }] of Object.entries(failures))
    test(`and says what to do about ${what}`, async (context) => {
      const { folder, run } = place(context, manifest);
      for (const [name, text] of Object.entries({ 'x.cjs': 'console.log(1);\n', ...files })) folder.file(name, text);
      const { code, stdout, stderr } = await run(...words, 'x.cjs');
      assert.match(stderr, says);
      assert.deepEqual([stdout, code], ['', 125]);
    });
});
