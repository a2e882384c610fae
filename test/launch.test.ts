/** What the daemon makes of what a launcher brings: the choice of the Node client in the same place, or none. */
import assert from 'node:assert/strict';
import { chmodSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { locate } from '../runtimes/locate.ts';
import { python3 } from '../runtimes/python3.ts';
import { ownIdentity } from '../src/base/identity.ts';
import { Launches, type Tickets } from '../src/launch.ts';
import type { LaunchRequest, LaunchWay } from '../src/model/launch.ts';
import { environment } from './prisn.ts';
import { Scratch } from './scratch.ts';

type Asked = Parameters<Tickets['ticket']>[0];

class Machine extends Scratch {
  readonly asked: Asked[] = [];
  readonly env: Record<string, string>;
  readonly launches: Launches;
  ticket: ReturnType<Tickets['ticket']> = { socket: '@s', ticket: 't1' };

  constructor(t: TestContext) {
    super(t);
    const { HOME = '/', LANG = '' } = environment();
    this.env = { PATH: `${this.path('path')}:/usr/bin:/bin`, HOME, LANG };
    this.file('dist/launcher/build', 'b1');
    this.script('path/python3', 'exit 0');
    this.folder('path');
    symlinkSync(process.execPath, this.path('path/node'));
    this.folder('node_modules/.bin');
    symlinkSync(process.execPath, this.path('node_modules/.bin/node'));
    const tickets: Tickets = {
      ticket: (request) => {
        this.asked.push(request);
        return this.ticket;
      },
    };
    this.launches = new Launches({
      install: this.path('dist/prisn.cjs'),
      cacheDir: this.path('cache'),
      environmentsDir: this.path('environments'),
      tickets,
    });
  }

  request(file: string, changes: Partial<LaunchRequest> = {}): LaunchRequest {
    const { dev, ino } = statSync(join(this.root, file), { bigint: true });
    return {
      build: 'b1',
      identity: `${ownIdentity()}0::/\n`,
      cwd: this.root,
      terminals: [false, false, false],
      options: [],
      file,
      fileId: `${dev}:${ino}`,
      args: [],
      env: this.env,
      ...changes,
    };
  }

  way(file: string, changes: Partial<LaunchRequest> = {}): Promise<LaunchWay> {
    return this.launches.way(this.request(file, changes));
  }

  async why(file: string, changes: Partial<LaunchRequest> = {}): Promise<string> {
    const way = await this.way(file, changes);
    return way.kind === 'declined' ? way.why : way.kind;
  }
}

test('Python gets a ticket for the interpreter that its caller would start', async (t) => {
  const machine = new Machine(t);
  machine.file('hello.py');
  const way = await machine.way('hello.py', { args: ['a'] });
  const env = { PRISN_RUN_ID: 'run-t1' };
  assert.deepEqual(way, { kind: 'fork', socket: '@s', ticket: 't1', file: 'hello.py', directory: '', env });
  assert.deepEqual(machine.asked, [{ domain: 'foreground', interpreter: machine.path('path/python3'), env: machine.env }]);

  machine.script('venv/bin/python3', 'exit 0');
  const venv = { ...machine.env, VIRTUAL_ENV: machine.path('venv') };
  await machine.way('hello.py', { env: venv });
  await machine.way('hello.py', { options: [`--env=VIRTUAL_ENV=${machine.path('venv')}`] });
  machine.file('own.py', `#!${machine.path('venv/bin/python3')}\n`);
  await machine.way('own.py');
  assert.deepEqual(
    machine.asked.slice(1).map(({ interpreter }) => interpreter),
    Array(3).fill(machine.path('venv/bin/python3')),
  );
});

test('what the options and the first line say is in the ticket', async (t) => {
  const machine = new Machine(t);
  machine.file('-env.py', '#!/usr/bin/env -S B=line python3\n');
  machine.folder('work');
  const options = ['--env=A=1', '--env=A=2', '--workdir=work'];
  const way = await machine.way('-env.py', { options, env: { ...machine.env, PRISN_RUN_ID: 'outer' } });
  assert.deepEqual(way, {
    kind: 'fork',
    socket: '@s',
    ticket: 't1',
    file: machine.path('-env.py'),
    directory: machine.path('work'),
    env: { A: '2', B: 'line', PRISN_RUN_ID: 'run-t1', PRISN_RUN_PARENTS: 'outer' },
  });
  const here = await machine.way('-env.py');
  assert.equal(here.kind === 'fork' && here.file, './-env.py');
});

test('JavaScript that is known to be for an isolate comes as its task', async (t) => {
  const machine = new Machine(t);
  machine.file('hello.js', 'console.log(1)');
  const way = await machine.way('hello.js', {
    args: ['a'],
    options: ['--env=TZ=Asia/Tokyo', '--input={"n":1}'],
    terminals: [false, true, false],
    env: { ...machine.env, LC_ALL: 'de_DE.UTF-8' },
  });
  assert.equal(way.kind, 'isolate');
  if (way.kind !== 'isolate') return;
  assert.deepEqual(way.place, { timeZone: 'Asia/Tokyo', locale: 'de_DE.UTF-8' });
  const { program, ...task } = way.task;
  assert.equal(program.entry, machine.path('hello.js'));
  assert.deepEqual(task, {
    calledAs: machine.path('hello.js'),
    args: ['a'],
    env: { ...machine.env, LC_ALL: 'de_DE.UTF-8', TZ: 'Asia/Tokyo' },
    cwd: machine.root,
    limits: {},
    colors: { stdout: true, stderr: false },
    input: '{"n":1}',
  });
});

test('what the Node client has to do is declined, with the reason', async (t) => {
  const machine = new Machine(t);
  machine.file('hello.py');
  machine.file('hello.js', 'console.log(1)');
  machine.file('options.py', '#!/usr/bin/env -S python3 -u\n');
  machine.file('node.js', '#!/usr/bin/env -S node --no-warnings\n');
  machine.file('typed.ts', 'const a: number = 1;');
  machine.file('large.js', `//${'x'.repeat(5 * 2 ** 20)}`);
  machine.script('run.sh', 'exit 0');
  const cases: readonly (readonly [file: string, changes: Partial<LaunchRequest>, why: RegExp])[] = [
    ['hello.py', { build: 'b2' }, /another build/],
    ['hello.py', { fileId: '1:1' }, /another file/],
    ['hello.py', { options: ['--input=1'] }, /--input is for JavaScript/],
    ['hello.py', { options: ['--env=1A=1'] }, /not KEY=VALUE/],
    ['hello.py', { options: ['--workdir=nowhere'] }, /ENOENT/],
    ['hello.py', { options: ['--workdir=hello.js'] }, /no directory/],
    ['hello.py', { options: ['--runtime=pyton'] }, /no runtime is called/],
    ['hello.py', { env: { PATH: '/nowhere' } }, /not found in PATH/],
    ['hello.py', { options: ['--verbose='] }, /without -v .* fork server/],
    ['options.py', {}, /options for the interpreter/],
    ['run.sh', {}, /^sh has no use/],
    ['node.js', {}, /^node has no use/],
    ['hello.js', { options: ['--input={'] }, /JSON/],
    ['hello.js', { identity: 'Uid:\t1\n' }, /other users, rights or namespaces/],
    ['hello.js', { options: ['--verbose='] }, /without -v .* isolate/],
    ['typed.ts', {}, /not been judged/],
    ['large.js', {}, /large/],
  ];
  for (const [file, changes, why] of cases) assert.match(await machine.why(file, changes), why);
  machine.ticket = { why: 'no server is ready' };
  assert.equal(await machine.why('hello.py'), 'no server is ready');
});

test('a shim of a version manager is not asked here, and its answer is taken once it is known', async (t) => {
  const machine = new Machine(t);
  machine.file('hello.py');
  machine.script('shims/python3', `exec "${machine.path('bin/pyenv')}" exec "$program" "$@"`);
  machine.script('bin/pyenv', `echo asked >>${machine.path('log')}; echo ${machine.path('path/python3')}`);
  const env = { ...machine.env, PATH: `${machine.path('shims')}:/usr/bin:/bin` };
  assert.match(await machine.why('hello.py', { env }), /version manager has to be asked/);
  assert.deepEqual(machine.log('log'), []);
  locate(python3, { env, cwd: machine.root, cacheDir: machine.path('cache') });
  assert.equal((await machine.way('hello.py', { env })).kind, 'fork');
  assert.equal(machine.asked[0]?.interpreter, machine.path('path/python3'));
});

test('JavaScript is declined where the stub would start another node, or has to try one first', async (t) => {
  const machine = new Machine(t);
  machine.file('hello.js', '1');
  machine.script('other/node', 'exit 0');
  const env = { ...machine.env, PATH: `${machine.path('other')}:/usr/bin` };
  assert.match(await machine.why('hello.js', { env }), /another node/);
  machine.file('dist/system-node', `fit ${machine.path('other/node')}\n`);
  assert.match(await machine.why('hello.js', { env }), /another node/);
  const { mtimeMs } = statSync(machine.path('other/node'));
  utimesSync(machine.path('dist/system-node'), mtimeMs / 1000 + 9, mtimeMs / 1000 + 9);
  assert.match(await machine.why('hello.js', { env }), /another node/);
  machine.file('dist/system-node', `unfit ${machine.path('other/node')}\n`);
  utimesSync(machine.path('dist/system-node'), mtimeMs / 1000 + 9, mtimeMs / 1000 + 9);
  assert.equal(await machine.why('hello.js', { env }), 'isolate');
  chmodSync(machine.path('other/node'), 0o644);
  assert.equal(await machine.why('hello.js', { env: { ...env, PATH: machine.path('other') } }), 'isolate');
});
