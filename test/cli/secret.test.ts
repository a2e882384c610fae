/** `prisn secret`, from the ways in which a value comes to the variable that has it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { needs } from '../machine.ts';
import { bin, environment, root } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const scratch = new Scratch();
const server = await Server.start({ after });

/** What a program gets, in hex, which nothing masks. */
const shows = scratch.file('shows.sh', 'printf %s "$VALUE" | od -An -tx1 | tr -d " \\n"');

async function valueOf(reference: string): Promise<string> {
  await server.prisn(['deploy', shows, '--secret', `${reference}:VALUE`]);
  const { code, stdout, stderr } = await server.prisn(['trigger', 'shows', '--wait']);
  assert.equal(code, 0, stderr);
  return Buffer.from(stdout, 'hex').toString();
}

async function playTerminal(steps: readonly object[], words: readonly string[]): Promise<{ output: string; code?: number }> {
  const driver = join(root, 'test/fixtures/process/drive-terminal.py');
  const child = spawn('python3', [driver, JSON.stringify(steps), bin, ...words], {
    env: environment({ PRISN_HOME: server.home }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return JSON.parse(text) as { output: string; code?: number };
}

describe('prisn secret create', () => {
  test('takes --value, and warns of the shell’s history once', async () => {
    const first = await server.prisn(['secret', 'create', 'by-flag', '--value', 'supersecret']);
    assert.deepEqual([first.code, first.stdout], [0, 'by-flag: created; deploy with --secret by-flag:VARIABLE\n']);
    assert.match(first.stderr, /^prisn: --value stays in your shell's history/);
    assert.equal((await server.prisn(['secret', 'create', 'by-flag-2', '--value', 'x'])).stderr, '');
    assert.equal(statSync(join(server.home, 'cache/warned-of-value-flag')).mode & 0o777, 0o600);
    assert.equal(await valueOf('by-flag'), 'supersecret');
  });

  test('takes standard input and files: a single line without its newline, several as they are', async () => {
    await server.prisn(['secret', 'create', 'line'], { stdin: 'pass word \n' });
    assert.equal(await valueOf('line'), 'pass word ');
    await server.prisn(['secret', 'create', 'lines', '--from-file', scratch.file('key.pem', 'BEGIN\nkey\nEND\n')]);
    assert.equal(await valueOf('lines'), 'BEGIN\nkey\nEND\n');
  });

  test('takes several values by key', async () => {
    const made = await server.prisn(['secret', 'create', 'smtp', '--data', 'user=ada', '--data', 'password=a=b']);
    assert.match(made.stdout, /--secret smtp\.\w+:VARIABLE/);
    assert.equal(await valueOf('smtp.password'), 'a=b');
  });

  test('asks on a terminal, which does not show the answer', needs('python3'), async () => {
    const steps = [{ expect: String.raw`Value of asked \(it is not shown\): ` }, { send: 'hidden-7\r' }];
    const { code, output } = await playTerminal(steps, ['secret', 'create', 'asked']);
    assert.equal(code, 0, output);
    assert.doesNotMatch(output, /hidden/);
    assert.equal(await valueOf('asked'), 'hidden-7');
  });

  for (const [name, words, stdin, says] of [
    ['no value', ['none'], '', /the value of none is empty/],
    ['two ways at once', ['two', '--value', 'a', '--data', 'b=c'], '', /exclude each other/],
    ['what is no text', ['bytes'], Buffer.from([0xff, 0xfe, 0]), /is not text/],
    ['a pair without a key', ['pair', '--data', 'justvalue'], '', /--data needs key=value, such as/],
    ['a file that is not there', ['file', '--from-file', '/nowhere'], '', /cannot read '\/nowhere'/],
    ['a name that is none', ['no name', '--value', 'x'], '', /is not a name/],
  ] as const) {
    test(`refuses ${name}, and stores nothing`, async () => {
      const result = await server.prisn(['secret', 'create', ...words], { stdin });
      assert.equal(result.code, 2);
      assert.match(result.stderr, says);
      assert.doesNotMatch(result.stderr, /justvalue/);
      assert.doesNotMatch((await server.prisn(['secret', 'list'])).stdout, new RegExp(`^${words[0]} `, 'm'));
    });
  }

  test('refuses a name that is taken with 6, and says how to change it', async () => {
    await server.prisn(['secret', 'create', 'taken', '--value', 'a']);
    const again = await server.prisn(['secret', 'create', 'taken', '--value', 'b']);
    assert.equal(again.code, 6);
    assert.match(again.stderr, /prisn secret rotate taken/);
  });
});

test('prisn secret rotate gives what starts from then on the new value', async () => {
  await server.prisn(['secret', 'create', 'turning', '--value', 'old']);
  const rotated = await server.prisn(['secret', 'rotate', 'turning'], { stdin: 'new\n' });
  assert.deepEqual([rotated.code, rotated.stdout], [0, 'turning: version 2\n']);
  assert.equal(await valueOf('turning'), 'new');
  assert.equal((await server.prisn(['secret', 'rotate', 'nothing', '--value', 'x'])).code, 3);
});

test('prisn secret list shows names and keys, never values', async () => {
  await server.prisn(['secret', 'create', 'listed', '--data', 'one=topsecret']);
  for (const words of [[], ['-o', 'json'], ['-o', 'wide']]) {
    const { stdout } = await server.prisn(['secret', 'list', ...words]);
    assert.match(stdout, /listed/);
    assert.doesNotMatch(stdout, /topsecret/);
  }
});

describe('prisn secret delete', () => {
  test('needs --yes where nobody can be asked', async () => {
    await server.prisn(['secret', 'create', 'kept', '--value', 'x']);
    const refused = await server.prisn(['secret', 'delete', 'kept']);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--yes/);
    assert.equal((await server.prisn(['secret', 'delete', 'kept', '--yes'])).stdout, 'kept deleted\n');
    assert.equal((await server.prisn(['secret', 'delete', 'kept', '--yes'])).code, 3);
  });

  test('asks for the name on a terminal', needs('python3'), async () => {
    await server.prisn(['secret', 'create', 'guarded', '--value', 'x']);
    const answer = (name: string) => [{ expect: 'Type its name to go on: ' }, { send: `${name}\r` }];
    assert.equal((await playTerminal(answer('other'), ['secret', 'delete', 'guarded'])).code, 2);
    assert.match((await server.prisn(['secret', 'list', '-o', 'name'])).stdout, /^guarded$/m);
    assert.equal((await playTerminal(answer('guarded'), ['secret', 'delete', 'guarded'])).code, 0);
  });
});
