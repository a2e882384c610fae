/** `prisn run --detach`, and what else of `run` needs a server. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { ShownExecution } from '../../src/api/contract/schemas.ts';
import { needs } from '../machine.ts';
import { bin, environment, prisn, root, type RunOptions } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const scratch = new Scratch();
const server = await Server.start({ after });

/** Runs it detached to its end. */
async function ended(words: readonly string[], options: RunOptions = {}): Promise<ShownExecution> {
  const { code, stdout, stderr } = await server.prisn(['run', '--detach', ...words], options);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^exec-[0-9a-z]{26}\n$/, 'the id alone');
  const { body } = await server.request('GET', `/api/v1/executions/${stdout.trim()}?wait=30s`);
  return body as ShownExecution;
}

describe('a detached run', () => {
  const main = scratch.file(
    'project/src/main.sh',
    'here=$(dirname "$0"); . "$here/../lib/lib.sh"; echo "$LIB $GIVEN $FILED $CALLER. $*"; exit 3',
  );
  scratch.file('project/lib/lib.sh', 'LIB=lib');
  const variables = scratch.file('variables.env', 'FILED=filed\nGIVEN=lost\n');

  test('prints the id alone, takes along what the file needs and what was given, and nothing of the caller', async () => {
    const execution = await ended(['--env-file', variables, '-e', 'GIVEN=given', main, '-x', 'a b'], {
      env: { CALLER: 'secret' },
    });
    const { status, reason, exit_code, stdout, trigger, name } = execution;
    assert.deepEqual(
      { status, reason, exit_code, stdout, trigger, name },
      { status: 'Failed', reason: 'exit', exit_code: 3, stdout: 'lib given filed . -x a b\n', trigger: 'cli', name: 'main' },
    );
  });

  test('takes code from the command line and from standard input, a name, an input and limits', async () => {
    const inline = await ended(['--runtime', 'sh', '--name', 'inline', '--exec', 'echo "$0" "$1"', 'one']);
    assert.deepEqual([inline.name, inline.status], ['inline', 'Completed']);
    assert.match(inline.stdout ?? '', / one\n$/);
    const piped = await ended(['--runtime', 'js', '-'], { stdin: "console.log('from stdin')" });
    assert.equal(piped.stdout, 'from stdin\n');
    const called = await ended(['--input', '{"n":1}', scratch.file('adds.mjs', 'export default ({ n }) => n + 1')]);
    assert.equal(called.result, 2);
    const late = await ended(['--timeout', '300ms', scratch.file('sleeps.sh', 'exec sleep 30')]);
    assert.deepEqual([late.reason, late.exit_code], ['timeout', 124]);
  });

  test('says on stderr what did not come along', async () => {
    const file = scratch.file('asks.mjs', "try { await import('left-pad') } catch { console.log('without') }");
    const { code, stderr } = await server.prisn(['run', '-d', file]);
    assert.equal(code, 0);
    assert.match(stderr, /^prisn: asks\.mjs imports 'left-pad', a package/);
  });

  const hello = scratch.file('hello.sh', 'echo hello');
  const refusals: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['a missing file', ['-d', 'nowhere.py'], 126, /'nowhere\.py' does not exist/],
    ['a file of no runtime', ['-d', scratch.file('data.csv')], 126, /cannot tell what runs it/],
    ['an unknown runtime', ['-d', '--runtime', 'cobol', hello], 127, /no runtime is called 'cobol'/],
    ['code without a runtime', ['-d', '--exec', '1'], 2, /--exec needs --runtime/],
    ['a bad limit', ['-d', '--timeout', '5', hello], 2, /--timeout: '5'/],
    ['a bad name', ['-d', '--name', 'a b', hello], 2, /--name: "a b"/],
    ['a directory of this machine', ['-d', '--workdir', '/', hello], 2, /--workdir is of this machine/],
    ['a name for what is not recorded', ['--name', 'x', hello], 2, /--name needs --detach/],
    ['a server that is not there', ['-d', '--server', '127.0.0.1:1', hello], 5, /127\.0\.0\.1:1/],
  ];
  for (const [title, words, code, message] of refusals) {
    test(`is refused: ${title}`, async () => {
      const result = await server.prisn(['run', ...words]);
      assert.deepEqual([result.code, result.stdout], [code, '']);
      assert.match(result.stderr, message);
    });
  }

  test('is refused where no server runs and none may be started', async () => {
    const { code, stdout, stderr } = await prisn(['run', '--detach', hello], { env: { PRISN_DAEMON: 'off' } });
    assert.deepEqual([code, stdout], [5, ''], stderr);
  });
});

test('JavaScript in the foreground goes to the server, which records nothing', async () => {
  const file = scratch.file('greets.js', "console.log('hello')");
  const before = (await server.request('GET', '/api/v1/executions')).body as { total: number };
  const { stdout, stderr } = await server.prisn(['run', '-v', file]);
  assert.equal(stdout, 'hello\n');
  assert.match(stderr, /isolate\nprisn: the daemon held its isolate\n$/);
  const now = (await server.request('GET', '/api/v1/executions')).body as { total: number };
  assert.equal(now.total, before.total);
});

test('a run at a terminal starts a server for the next time, and says so', needs('python3'), async () => {
  const file = scratch.file('greets-again.js', "console.log('hello')");
  const env = { CI: '', PRISN_HOME: scratch.folder('home'), PRISN_ADDR: 'off' };
  const driver = join(root, 'test/fixtures/process/drive-terminal.py');
  const child = spawn('python3', [driver, '[]', bin, 'run', file], {
    env: environment(env),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  const { output, code } = JSON.parse(text) as { output: string; code: number };
  try {
    assert.equal(code, 0);
    assert.match(output, /^hello\r\n.*prisn:.* started a server in the background/s);
    // Waits for the one that is on its way.
    assert.equal((await prisn(['get', 'executions'], { env })).code, 0);
    assert.match((await prisn(['run', '-v', file], { env })).stderr, /the daemon held its isolate/);
  } finally {
    await prisn(['server', 'stop'], { env });
  }
});
