import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runOptions } from '../../src/cli/run-options.ts';
import { findProgram, needs } from '../machine.ts';
import { prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';

const scratch = new Scratch();
const file = scratch.file.bind(scratch);

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
    [['doctor', '--loud'], /prisn doctor has no option --loud; see prisn doctor --help/],
    [['run', '--time', '5s', 'x.js'], /prisn run has no option --time; did you mean --timeout\?/],
    [['deploy', '--time', '5s', 'x.js'], /prisn deploy has no option --time; did you mean --timeout\?/],
    [['bench', 'run'], /prisn bench run needs <file>; see prisn bench run --help/],
    [['runtime', 'chekc'], /there is no command 'prisn runtime chekc'; did you mean check\?/],
    [['secret', 'show', 'x'], /there is no command 'prisn secret show'; there are create, rotate, list, delete$/m],
    [['logs', 'job', '--since', 'yesterday'], /--since: 'yesterday' is no time/],
    [['restore', 'no-such.gz'], /'no-such\.gz' does not exist/],
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

  test("'help' knows the commands below a command, and their usage", async () => {
    assert.match((await prisn(['help', 'bench', 'run'])).stdout, /^Usage: prisn bench run \[options\] <file> \[args…\]\n/);
    assert.match((await prisn(['help', 'bench'])).stdout, /^ {2}run <file> \[args…\] {2}/m);
  });

  test('the help has a line for each command, and none for what is of no use yet', async () => {
    const { stdout } = await prisn(['--help']);
    for (const line of stdout.split('\n')) assert.ok(line.length <= 100, line);
    assert.match(stdout, /^ {2}deploy <path> +deploy a file or a folder/m);
    assert.doesNotMatch(stdout, /scale/);
    assert.match((await prisn(['scale', '--help'])).stdout, /^Usage: prisn scale/);
  });

  test('the help of deploy shows no default that is none', async () => {
    assert.doesNotMatch((await prisn(['deploy', '--help'])).stdout, /\[\]/);
  });

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
    for (const id of ['javascript', 'typescript', 'node', 'sh', 'executable'])
      assert.match(stdout, new RegExp(`^${id} +ok\\b`, 'm'));
    for (const id of ['python3', 'bash'])
      assert.match(stdout, new RegExp(`^${id} +${findProgram(id) === undefined ? 'missing' : '(?:ok|too_old)'}\\b`, 'm'));
  });

  test('info tells where the interpreter is', async () => {
    assert.match((await prisn(['runtime', 'info', 'sh'])).stdout, /^file +\/\S*\/sh$/m);
  });

  test('check is 0 for what can run, also by its other name', needs('python3'), async () => {
    assert.equal((await prisn(['runtime', 'check', 'python'])).code, 0);
  });

  test('check is 127 for what cannot run, with what to do', async () => {
    const missing = await prisn(['runtime', 'check', 'bash'], {
      command: [process.execPath, 'dist/prisn.cjs'],
      env: { PATH: scratch.root },
    });
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /^prisn: bash: missing; bash not found in PATH/);
    assert.equal((await prisn(['runtime', 'check', 'cobol'])).code, 127);
  });

  test('detect explains the choice', async () => {
    assert.match((await prisn(['runtime', 'detect', file('a.js', '1')])).stdout, /^javascript \(extension \.js\): an isolate\n$/);
    assert.match((await prisn(['runtime', 'detect', file('b.js', 'Buffer.from("")')])).stdout, /node, since .*Buffer/);
    assert.match((await prisn(['runtime', 'detect', file('c', '#!/usr/bin/env bash\n')])).stdout, /^bash \(#! /);
    assert.equal((await prisn(['runtime', 'detect', scratch.path('missing.js')])).code, 126);
  });
});

test('prisn doctor tells what can be run, limited and isolated here', async () => {
  const result = await prisn(['doctor']);
  assert.equal(result.code, 0, result.stderr);
  for (const line of [/^ {2}ok {3}isolates /m, /^ {2}ok {3}sh /m, /^ {2}(?:ok|no) {3}--cpu /m, /^ {2}ok {3}--timeout /m])
    assert.match(result.stdout, line);
});
