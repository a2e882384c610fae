/** `prisn logs`: what a program wrote, as it wrote it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { createInterface } from 'node:readline';
import { prisn, startPrisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const scratch = new Scratch();
const server = await Server.start({ after });
const programs = {
  'writes.sh': 'printf "one\\ntwo\\n\\377\\376\\0end"; echo problem >&2',
  'ticks.sh': 'echo "tick $1"; while [ ! -e "$2" ]; do sleep 0.02; done; echo "tock $1"',
  'floods.sh':
    'i=0; while [ $i -lt 3000 ]; do echo "line $i of many, long enough to fill the pipe that nobody reads"; i=$((i + 1)); done',
};
for (const [name, text] of Object.entries(programs)) await server.prisn(['deploy', scratch.file(name, text)]);

async function run(name: string): Promise<string> {
  const id = (await server.prisn(['trigger', name])).stdout.trim();
  await server.prisn(['wait', id]);
  return id;
}

async function logs(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await server.prisn(['logs', ...words], { encoding: 'latin1' });
  assert.deepEqual([code, stderr], [0, '']);
  return stdout;
}

describe('prisn logs', () => {
  const written = run('writes');

  test('gives back the bytes of an execution', async () => {
    assert.equal(await logs(await written, '--stdout'), 'one\ntwo\n\xff\xfe\0end');
    assert.equal(await logs(await written, '--stderr'), 'problem\n');
    assert.equal((await logs(await written)).length, 'one\ntwo\n\xff\xfe\0endproblem\n'.length);
  });

  test('of a deployment are those of its last execution', async () => {
    await written;
    assert.equal(await logs('writes', '--stdout'), 'one\ntwo\n\xff\xfe\0end');
  });

  test('can be the last lines only, or those since a time', async () => {
    assert.equal(await logs(await written, '--stderr', '--tail', '1'), 'problem\n');
    assert.equal(await logs(await written, '--stdout', '--tail', '1'), '\xff\xfe\0end');
    assert.equal(await logs(await written, '--since', '1h', '--stderr'), 'problem\n');
    assert.equal(await logs(await written, '--since', '2100-01-01T00:00:00Z'), '');
  });

  test('can have the time before each line', async () => {
    const lines = (await logs(await written, '--stdout', '--timestamps')).split('\n');
    assert.equal(lines.length, 4);
    for (const [line, text] of [
      [lines[0], 'one'],
      [lines[1], 'two'],
    ] as const)
      assert.match(line ?? '', new RegExp(`^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z ${text}$`));
  });

  test('of what is not there are refused', async () => {
    assert.equal((await server.prisn(['logs', 'nothing'])).code, 3);
    assert.equal((await server.prisn(['logs', 'exec-nothing'])).code, 3);
    assert.equal((await server.prisn(['logs', 'writes', '--stdout', '--stderr'])).code, 2);
    assert.equal((await server.prisn(['logs', 'writes', '--since', 'yesterday'])).code, 2);
  });

  test('ends in silence when nobody reads on', async () => {
    await run('floods');
    const result = await prisn(['-c', `"$@" | head -n 1; echo "ended" >&2`, 'sh', 'bin/prisn', 'logs', 'floods'], {
      command: ['sh'],
      env: { PRISN_HOME: server.home },
    });
    assert.deepEqual(
      [result.stdout, result.stderr],
      ['line 0 of many, long enough to fill the pipe that nobody reads\n', 'ended\n'],
    );
  });
});

describe('prisn logs -f', () => {
  test('shows an execution while it runs, and ends with it', async () => {
    const release = scratch.path('release-one');
    const id = (await server.prisn(['trigger', 'ticks', '--arg', 'a', '--arg', release])).stdout.trim();
    const child = startPrisn(['logs', '-f', id], { env: { PRISN_HOME: server.home } });
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'tick a');
    const ended = once(child, 'exit');
    scratch.file('release-one');
    assert.equal((await lines.next()).value, 'tock a');
    assert.deepEqual(await ended, [0, null]);
  });

  test('of a deployment goes on with the next execution', async (t) => {
    const release = scratch.file('release-all');
    await server.prisn(['trigger', 'ticks', '--arg', 'b', '--arg', release, '--wait']);
    const child = startPrisn(['logs', '-f', 'ticks'], { env: { PRISN_HOME: server.home } });
    t.after(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => (await lines.next()).value as string;
    assert.deepEqual([await next(), await next()], ['tick b', 'tock b']);
    await server.prisn(['trigger', 'ticks', '--arg', 'c', '--arg', release]);
    assert.deepEqual([await next(), await next()], ['tick c', 'tock c']);
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGINT']);
  });
});
