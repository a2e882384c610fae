/** `prisn get`, once and live. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { parse } from 'yaml';
import { needs } from '../machine.ts';
import { bin, environment, root, startPrisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const scratch = new Scratch();
const server = await Server.start({ after });
for (const [name, text] of Object.entries({ 'works.sh': 'exit 0', 'fails.sh': 'exit 9' }))
  await server.prisn(['deploy', scratch.file(name, text), '--label', `kind=${name}`]);

async function run(name: string): Promise<string> {
  const id = (await server.prisn(['trigger', name])).stdout.trim();
  await server.prisn(['wait', id]);
  return id;
}
const worked = await run('works');
const failed = await run('fails');

async function get(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await server.prisn(['get', ...words]);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('prisn get', () => {
  test('lists executions, newest first, with how they ended', async () => {
    const [head = '', ...rows] = (await get('executions')).trimEnd().split('\n');
    assert.match(head, /^ID +NAME +STATUS +WHY +EXIT +TOOK +AGE$/);
    assert.match(rows[0] ?? '', new RegExp(`^${failed} +fails +Failed +exit +9 +`));
    assert.match(rows[1] ?? '', new RegExp(`^${worked} +works +Completed +- +0 +`));
    assert.doesNotMatch(await get('exec', '--no-headers'), /STATUS/);
  });

  test('lists deployments with their state', async () => {
    assert.match(await get('apps'), /^NAME +TYPE +PHASE +READY +LAST RUN +NEXT RUN +AGE\nfails +job +\S+ +- +\d+s +- +\d+s$/m);
    assert.match(await get('deploy'), /^works +job +sh +\S+ +1 +works\.sh +/m);
    assert.match(await get('deployments', '-o', 'wide'), /^works .*kind=works\.sh$/m);
  });

  test('gives programs names, JSON and YAML with the keys of the API', async () => {
    assert.equal(await get('apps', '-o', 'name'), 'fails\nworks\n');
    const list = JSON.parse(await get('exec', '-o', 'json')) as { items: { id: string }[]; count: number; total: number };
    assert.deepEqual([list.items.map(({ id }) => id), list.count, list.total], [[failed, worked], 2, 2]);
    const one = parse(await get('exec', failed, '-o', 'yaml')) as { id: string; exit_code: number };
    assert.deepEqual([one.id, one.exit_code], [failed, 9]);
  });

  test('chooses', async () => {
    assert.equal(await get('exec', '--status', 'failed', '-o', 'name'), `${failed}\n`);
    assert.equal(await get('exec', '--deployment', 'works', '-o', 'name'), `${worked}\n`);
    assert.equal(await get('exec', '--since', '1h', '-o', 'name'), `${failed}\n${worked}\n`);
    assert.equal(await get('deploy', '-l', 'kind=works.sh', '-o', 'name'), 'works\n');
    assert.equal(await get('services', '-o', 'name'), '');
  });

  test('says when there is more than it shows', async () => {
    const { stdout, stderr } = await server.prisn(['get', 'exec', '--limit', '1', '--no-headers']);
    assert.deepEqual([stdout.startsWith(failed), stdout.split('\n').length, stderr], [true, 2, '1 of 2; --limit 2 shows all\n']);
  });

  test('lists the runtimes and the machine', async () => {
    assert.match(await get('runtimes', 'sh'), /^sh +ok/m);
    assert.match(await get('nodes'), /^ID +HOST +CORES/);
  });

  for (const [words, code, says] of [
    [['widgets'], 2, /prisn get knows no 'widgets'; there are executions, deployments/],
    [['deploymnets'], 2, /did you mean deployments\?/],
    [['apps', '--status', 'Failed'], 2, /--status says nothing about apps/],
    [['exec', '--status', 'Broken'], 2, /none of Pending, Running/],
    [['exec', '--limit', '0'], 2, /--limit: '0'/],
    [['exec', 'works'], 2, /takes the id of an execution/],
    [['apps', 'wroks'], 3, /did you mean '?works/],
    [['exec', '--deployment', 'wroks'], 3, /did you mean '?works/],
    [['runtimes', 'cobol'], 3, /no runtime 'cobol'/],
  ] as const) {
    test(`refuses ${words.join(' ')}`, async () => {
      const result = await server.prisn(['get', ...words]);
      assert.deepEqual([result.code, result.stdout], [code, '']);
      assert.match(result.stderr, says);
    });
  }
});

describe('prisn get -w', () => {
  /** The lines that it writes, and an end of it. */
  function watching(t: { after(clean: () => void): void }, ...words: string[]): { next(): Promise<string>; child: ChildProcess } {
    const child = startPrisn(['get', ...words, '-w'], { env: { PRISN_HOME: server.home } });
    t.after(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    return { child, next: async () => (await lines.next()).value as string };
  }

  test('adds a row when something changes, and none when nothing does', async (t) => {
    await server.prisn(['deploy', scratch.file('brief.sh', 'sleep 0.5')]);
    const { next } = watching(t, 'exec', '--deployment', 'brief', '--no-headers');
    const [first, second] = [await triggerWhenQuiet(), await triggerWhenQuiet()];
    for (const id of [first, second]) {
      const statuses: string[] = [];
      while (statuses.at(-1) !== 'Completed') {
        const [, of, status = ''] = /^(\S+) +brief +(\w+)/.exec(await next()) ?? [];
        assert.equal(of, id);
        statuses.push(status);
      }
      // What passes between two looks is not seen.
      assert.match(statuses.join(' '), /^(Pending )?(Running )?Completed$/);
    }

    async function triggerWhenQuiet(): Promise<string> {
      const id = (await server.prisn(['trigger', 'brief'])).stdout.trim();
      await server.prisn(['wait', id]);
      return id;
    }
  });

  test('tells what was deleted', async (t) => {
    await server.prisn(['deploy', scratch.file('short-lived.sh', 'exit 0'), '--label', 'test=gone']);
    const { next } = watching(t, 'apps', '-l', 'test=gone', '--no-headers');
    assert.match(await next(), /^short-lived +job +/);
    await server.prisn(['delete', 'short-lived', '--yes']);
    assert.match(await next(), /^short-lived +job +Deleted/);
  });

  test('gives programs a line of JSON a change', async (t) => {
    const { next } = watching(t, 'apps', '-l', 'kind=works.sh', '-o', 'json');
    assert.equal((JSON.parse(await next()) as { name: string }).name, 'works');
  });

  test('ends in silence at Ctrl-C', async (t) => {
    const { next, child } = watching(t, 'apps', '--no-headers');
    await next();
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGINT']);
  });

  test('draws over what is on a terminal, and cuts what does not fit', needs('python3'), async () => {
    // The ages alone make it draw again each second.
    const steps = [{ resize: [4, 50] }, { expect: '… 2 more' }, { expect: String.raw`\x1b\[3A` }, { kill: 'INT' }];
    const driver = join(root, 'test/fixtures/process/drive-terminal.py');
    const child = spawn('python3', [driver, JSON.stringify(steps), bin, 'get', 'apps', '-w'], {
      env: environment({ PRISN_HOME: server.home, TERM: 'xterm' }),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    const { output, code } = JSON.parse(text) as { output: string; code?: number };
    assert.equal(code, 130, output);
    for (const line of output.replaceAll(/\x1b\[\d*[A-Z]/g, '').split('\r\n')) assert.ok(line.length <= 50, line);
  });
});
