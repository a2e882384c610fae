import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runOptions } from '../../src/cli/run-options.ts';
import { prisn, temporaryFolder } from '../prisn.ts';

const folder = temporaryFolder();

describe('the command line', () => {
  test('without a command shows the help on stderr and fails', async () => {
    const result = await prisn([]);
    assert.deepEqual([result.code, result.stdout], [2, '']);
    assert.match(result.stderr, /^Usage: prisn <command>/);
  });

  for (const [words, says] of [
    [['rnu', 'x.js'], /no command 'rnu'; did you mean prisn run\?/],
    [['hello.js'], /no command 'hello\.js'; did you mean prisn run hello\.js\?/],
    [['frobnicate'], /no command 'frobnicate'; see prisn --help/],
    [['doctor', '--loud'], /unknown option '--loud'/],
    [['runtime', 'chekc'], /unknown command 'chekc'/],
  ] as const) {
    test(`refuses '${words.join(' ')}'`, async () => {
      const result = await prisn(words);
      assert.equal(result.code, 2);
      assert.match(result.stderr, says);
      assert.match(result.stderr, /^prisn: /);
    });
  }

  for (const words of [['--help'], ['help'], ['run', '--help'], ['help', 'run'], ['runtime', '--help'], ['doctor', '--help']]) {
    test(`'${words.join(' ')}' shows help`, async () => {
      const result = await prisn(words);
      assert.deepEqual([result.code, result.stderr], [0, '']);
      assert.match(result.stdout, /^Usage: prisn/);
    });
  }

  test('the help of run names every option', async () => {
    const { stdout } = await prisn(['run', '--help']);
    for (const { long, help } of runOptions) assert.ok(stdout.includes(long) && stdout.includes(help), long);
  });

  test('version tells prisn, Node and V8', async () => {
    assert.match((await prisn(['version'])).stdout, /^prisn \d+\.\d+\.\d+ \(node \d+\.\S+, V8 \S+, \w+ \w+\)\n$/);
    assert.match((await prisn(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  });
});

describe('prisn runtime', () => {
  test('list has every runtime with its status', async () => {
    const { stdout } = await prisn(['runtime', 'list']);
    for (const id of ['javascript', 'typescript', 'node', 'python3', 'bash', 'sh', 'executable'])
      assert.match(stdout, new RegExp(`^${id} +ok\\b`, 'm'));
  });

  test('info tells where the interpreter is', async () => {
    assert.match((await prisn(['runtime', 'info', 'sh'])).stdout, /^file +\/\S*\/sh$/m);
  });

  test('check is 0 for what can run and 127 for what cannot, with what to do', async () => {
    assert.equal((await prisn(['runtime', 'check', 'python'])).code, 0);
    const missing = await prisn(['runtime', 'check', 'bash'], {
      command: [process.execPath, 'dist/prisn.cjs'],
      env: { PATH: folder },
    });
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /^prisn: bash: missing; bash not found in PATH/);
    assert.equal((await prisn(['runtime', 'check', 'cobol'])).code, 127);
  });

  test('detect explains the choice', async () => {
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    assert.match((await prisn(['runtime', 'detect', file('a.js', '1')])).stdout, /^javascript \(extension \.js\): an isolate\n$/);
    assert.match((await prisn(['runtime', 'detect', file('b.js', 'Buffer.from("")')])).stdout, /node, since .*Buffer/);
    assert.match((await prisn(['runtime', 'detect', file('c', '#!/usr/bin/env bash\n')])).stdout, /^bash \(#! /);
    assert.equal((await prisn(['runtime', 'detect', join(folder, 'missing.js')])).code, 126);
  });
});

test('prisn doctor tells what can be run, limited and isolated here', async () => {
  const result = await prisn(['doctor']);
  assert.equal(result.code, 0, result.stderr);
  for (const line of [/^ {2}ok {3}isolates /m, /^ {2}ok {3}python3 /m, /^ {2}(?:ok|no) {3}--cpu /m, /^ {2}ok {3}--timeout /m])
    assert.match(result.stdout, line);
});
