/** `prisn trigger`, `wait` and `cancel`: executions that come and go. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import type { ShownExecution } from '../../src/api/contract/schemas.ts';
import { shellCodeOf, startPrisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const scratch = new Scratch();
const server = await Server.start({ after });
const programs = {
  'says.sh': 'printf "%s\\n" "$LEVEL" "$@"; printf "\\377\\376\\n"; echo problem >&2; exit "${CODE:-0}"',
  'sleeps.sh': 'echo up; exec sleep 60',
  'waits-a-bit.sh': 'echo up; sleep 2; echo done',
  'reads.sh': 'cat',
  'greet.js': 'export default ({ name }) => `hello ${name}`;',
};
for (const [name, text] of Object.entries(programs)) await server.prisn(['deploy', scratch.file(name, text)]);

async function execution(id: string): Promise<ShownExecution> {
  return JSON.parse((await server.prisn(['get', 'exec', id, '-o', 'json'])).stdout) as ShownExecution;
}

async function trigger(...words: string[]): Promise<string> {
  return (await server.prisn(['trigger', ...words])).stdout.trim();
}

describe('prisn trigger', () => {
  test('prints the id alone', async () => {
    const { code, stdout, stderr } = await server.prisn(['trigger', 'says']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^exec-[0-9a-z]{26}\n$/);
    assert.equal((await execution(stdout.trim())).trigger, 'cli');
  });

  test('with --wait gives the output, byte by byte, and the exit code', async () => {
    const words = ['trigger', 'says', '--wait', '-e', 'LEVEL=debug', '-e', 'CODE=7', '--arg', '--all', '--arg', 'b c'];
    const result = await server.prisn(words, { encoding: 'latin1' });
    assert.deepEqual([result.code, result.stdout, result.stderr], [7, 'debug\n--all\nb c\n\xff\xfe\n', 'problem\n']);
  });

  test('takes the name also right after --wait', async () => {
    assert.equal((await server.prisn(['trigger', '--wait', 'says', '-e', 'CODE=3'])).code, 3);
    assert.equal((await server.prisn(['trigger', '--wait=1m', 'says'])).code, 0);
  });

  test('hands on standard input and a value', async () => {
    assert.equal((await server.prisn(['trigger', 'reads', '--wait', '--stdin'], { stdin: 'in\n' })).stdout, 'in\n');
    const greeting = await server.prisn(['trigger', 'greet', '--wait', '--input', '{"name": "Ada"}']);
    assert.equal(greeting.stdout, '"hello Ada"\n');
    assert.match((await server.prisn(['trigger', 'greet', '--input', 'Ada'])).stderr, /--input is not JSON/);
  });

  test('with --wait ends with 124 and the reason when the time of the program is over', async () => {
    const result = await server.prisn(['trigger', 'sleeps', '--wait', '--timeout', '300ms']);
    assert.deepEqual([result.code, result.stdout], [124, 'up\n']);
    assert.match(result.stderr, /longer than 300ms/);
  });

  test('waits no longer than it is told, and the execution goes on', async () => {
    const result = await server.prisn(['trigger', 'sleeps', '--wait=500ms']);
    assert.equal(result.code, 124);
    const [, id = ''] = /(exec-\w+) has not ended within 500ms and goes on: prisn logs -f exec-/.exec(result.stderr) ?? [];
    assert.equal((await execution(id)).status, 'Running');
    await server.prisn(['cancel', id]);
  });

  test('leaves the execution to itself at Ctrl-C, and says how to go on', async () => {
    const child = startPrisn(['trigger', 'sleeps', '--wait'], { env: { PRISN_HOME: server.home } });
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await once(child.stdout ?? child, 'data');
    child.kill('SIGINT');
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    assert.equal(shellCodeOf({ code, signal }), 130);
    const [, id = ''] =
      /(exec-\w+) goes on: prisn logs -f exec-\w+, prisn wait exec-\w+ or prisn cancel exec-/.exec(stderr) ?? [];
    assert.equal((await execution(id)).status, 'Running');
    await server.prisn(['cancel', id]);
  });

  test('runs once for one idempotency key', async () => {
    const words = ['says', '--idempotency-key', 'order-17'];
    assert.equal(await trigger(...words), await trigger(...words));
    assert.equal((await server.prisn(['trigger', ...words, '--arg', 'other'])).code, 6);
  });

  test('of what is not there is 3, with --wait too, and of a file or an execution wrong usage', async () => {
    const result = await server.prisn(['trigger', 'say']);
    assert.deepEqual([result.code, result.stdout], [3, '']);
    assert.match(result.stderr, /did you mean '?says/);
    assert.equal((await server.prisn(['trigger', 'say', '--wait'])).code, 3);
    const file = await server.prisn(['trigger', 'says.py']);
    assert.equal(file.code, 2);
    assert.match(file.stderr, /'says\.py' is a file.*prisn trigger says\n/);
    assert.match((await server.prisn(['trigger', 'exec-01', '--wait'])).stderr, /is an execution/);
    assert.equal((await server.prisn(['trigger'])).code, 2);
  });
});

describe('prisn wait', () => {
  test('gives the exit code, of several the first that is not 0', async () => {
    const [good, bad] = [await trigger('says'), await trigger('says', '-e', 'CODE=4')];
    assert.deepEqual(await lines(['wait', good]), { code: 0, lines: [`${good} Completed`] });
    assert.deepEqual(await lines(['wait', good, bad]), { code: 4, lines: [`${bad} Failed (exit code 4)`, `${good} Completed`] });
  });

  test('waits for what still runs', async () => {
    const id = await trigger('waits-a-bit');
    assert.deepEqual(await lines(['wait', id]), { code: 0, lines: [`${id} Completed`] });
  });

  test('gives up with 124 when the time is over', async () => {
    const id = await trigger('sleeps');
    const { code, stderr } = await server.prisn(['wait', id, '--timeout', '200ms']);
    assert.equal(code, 124);
    assert.match(stderr, /has not ended within 200ms; it goes on/);
    await server.prisn(['cancel', id]);
  });

  test('of no execution is 3, and of a name wrong usage', async () => {
    assert.equal((await server.prisn(['wait', 'exec-nothing'])).code, 3);
    const named = await server.prisn(['wait', 'says']);
    assert.equal(named.code, 2);
    assert.match(named.stderr, /prisn get executions --deployment says/);
  });

  async function lines(words: string[]): Promise<{ code: number | null; lines: string[] }> {
    const { code, stdout } = await server.prisn(words);
    return {
      code,
      lines: stdout
        .trim()
        .split('\n')
        .toSorted((a, b) => Number(a.includes('Completed')) - Number(b.includes('Completed'))),
    };
  }
});

describe('prisn cancel', () => {
  test('ends what runs', async () => {
    const id = await trigger('sleeps');
    assert.deepEqual(
      [(await server.prisn(['cancel', id])).stdout, (await execution(id)).reason],
      [`${id} canceled\n`, 'canceled'],
    );
    const again = await server.prisn(['cancel', id]);
    assert.deepEqual([again.code, again.stdout], [0, `${id} was canceled already\n`]);
  });

  test('says what could not be canceled, and cancels the others', async () => {
    const [ended, running] = [await trigger('says'), await trigger('sleeps')];
    await server.prisn(['wait', ended]);
    const result = await server.prisn(['cancel', ended, 'exec-nothing', running]);
    assert.deepEqual([result.code, result.stdout], [6, `${running} canceled\n`]);
    assert.match(result.stderr, /had ended before: Completed\n.*exec-nothing/);
    assert.equal((await server.prisn(['cancel', 'exec-nothing'])).code, 3);
  });
});

test('a command that asks for a server in vain is 5, and starts none where that is not wanted', async () => {
  const child = startPrisn(['trigger', 'says'], { env: { PRISN_HOME: scratch.folder('empty'), PRISN_DAEMON: 'off' } });
  assert.deepEqual((await once(child, 'exit'))[0], 5);
});
