import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { type Command, commandFor, type Preload, type ProgramSource } from '../../runtimes/command.ts';
import { readHead } from '../../runtimes/head.ts';
import { detect, runtimeById } from '../../runtimes/index.ts';
import type { LocateContext } from '../../runtimes/locate.ts';
import { fillTemplate, isAtLeast } from '../../src/model/runtime.ts';
import { Scratch } from '../scratch.ts';

function contextOf(scratch: Scratch, env: Record<string, string> = {}): LocateContext {
  return { env: { PATH: '/usr/bin:/bin', ...env }, cwd: scratch.root, cacheDir: scratch.path('cache') };
}

function run(command: Command, { env, cwd }: LocateContext, input = ''): string {
  const { file, args } = command;
  const { stdout, stderr, error } = spawnSync(file, args, { env: { ...env, ...command.env }, cwd, input, encoding: 'utf8' });
  assert.equal(error, undefined);
  return stdout + stderr;
}

async function runFile(
  scratch: Scratch,
  name: string,
  args: readonly string[],
  forced?: string,
  context = contextOf(scratch),
): Promise<string> {
  const detection = await detect(name, readHead(scratch.path(name)), context, { runtime: forced });
  return run(await commandFor(detection, { file: name }, args, context), context);
}

const awkward = ['-x', '--', '--help', 'a b', '', '$HOME', '*', '{args}', '{file}'];
const printArguments: Record<string, string> = {
  python3: 'import sys, json; print(json.dumps(sys.argv[1:]))',
  node: 'console.log(JSON.stringify(process.argv.slice(2)))',
  bash: `printf '%s\\n' "$@"`,
  sh: `printf '%s\\n' "$@"`,
};

for (const [id, code] of Object.entries(printArguments)) {
  const isJson = id === 'python3' || id === 'node';
  const expected = isJson ? JSON.stringify(awkward) : awkward.join('\n');
  const normal = (output: string) => (isJson ? JSON.stringify(JSON.parse(output)) : output.replace(/\n$/, ''));

  test(`${id} passes arguments untouched to a file, also one whose name looks like an option`, async (t) => {
    const scratch = new Scratch(t);
    for (const name of ['plain', 'with space\nand newline', '-c', '--version']) {
      scratch.file(name, code);
      assert.equal(normal(await runFile(scratch, name, awkward, id)), expected, name);
    }
  });

  test(`${id} passes arguments untouched to code and to a program on stdin`, async (t) => {
    const scratch = new Scratch(t);
    const context = contextOf(scratch);
    const detection = { runtime: runtimeById(id), how: '' };
    const commandOf = (program: ProgramSource) => commandFor(detection, program, awkward, context);
    // With -e, node has no script name in argv.
    assert.equal(normal(run(await commandOf({ code: id === 'node' ? code.replace('2', '1') : code }), context)), expected);
    assert.equal(normal(run(await commandOf({ stdin: true }), context, code)), expected);
  });
}

test('code that begins with a dash is code', async (t) => {
  const scratch = new Scratch(t);
  const context = contextOf(scratch);
  const outputs = {
    python3: '-1; print("ran")',
    node: '-1; console.log("ran")',
    bash: '-x 2>/dev/null; echo ran',
    sh: '-x 2>/dev/null; echo ran',
  };
  for (const [id, code] of Object.entries(outputs))
    assert.equal(run(await commandFor({ runtime: runtimeById(id), how: '' }, { code }, [], context), context), 'ran\n', id);
});

test('a .sh file with a bash line is run by bash, one without by sh', async (t) => {
  const scratch = new Scratch(t);
  scratch.file('a.sh', '#!/bin/bash\nset -- "$1" x; a=("$@"); echo "${#a[@]} $BASH"');
  scratch.file('b.sh', 'echo "[$BASH_VERSION$1]"');
  assert.equal(await runFile(scratch, 'a.sh', ['1']), '2 /bin/bash\n');
  scratch.script('bin/sh', 'exec /bin/sh "$@" from-path');
  const context = contextOf(scratch, { PATH: `${scratch.path('bin')}:/bin` });
  assert.match(await runFile(scratch, 'b.sh', [], undefined, context), /from-path\]\n$/);
});

test("options and assignments of the first line reach the program's interpreter", async (t) => {
  const scratch = new Scratch(t);
  const body = 'import sys, os; print(sys.flags.optimize, os.environ.get("MODE"), sys.argv[1:])\n';
  scratch.file('tool', `#!/usr/bin/env -S MODE=fast python3 -OO\n${body}`);
  scratch.file('tool.py', `#!/usr/bin/env -S MODE=fast python3 -O\n${body}`);
  const context = contextOf(scratch, { MODE: 'slow' });
  assert.equal(await runFile(scratch, 'tool', ['x'], undefined, context), "2 fast ['x']\n");
  assert.equal(await runFile(scratch, 'tool.py', ['x'], undefined, context), "1 fast ['x']\n");
  assert.equal(
    await runFile(scratch, 'tool.py', ['x'], 'python3', context),
    "0 slow ['x']\n",
    'not when the runtime was asked for',
  );
});

test('a version in the first line is looked for first, and the plain name is taken without it', async (t) => {
  const scratch = new Scratch(t);
  scratch.file('a.py', '#!/usr/bin/env python3.77\nprint("ran")');
  assert.equal(await runFile(scratch, 'a.py', []), 'ran\n');
  scratch.script('bin/python3.77', 'echo 3.77 "$@"');
  const context = contextOf(scratch, { PATH: `/usr/bin:/bin:${scratch.path('bin')}` });
  assert.equal(await runFile(scratch, 'a.py', ['x'], undefined, context), '3.77 a.py x\n');
});

test("a script of another interpreter is started by the system, or by that interpreter when it isn't executable", async (t) => {
  const scratch = new Scratch(t);
  const interpreter = scratch.script('some-awk', 'echo "$@"');
  scratch.file('executable', `#!${interpreter} -f -v\n`, 0o755);
  scratch.file('plain', `#!${interpreter} -f -v\n`);
  assert.equal(await runFile(scratch, 'executable', ['1 2']), `-f -v ${scratch.path('executable')} 1 2\n`);
  assert.equal(await runFile(scratch, 'plain', ['1 2']), '-f -v plain 1 2\n');
  scratch.file('gone', '#!/nowhere/tclsh\n');
  await assert.rejects(runFile(scratch, 'gone', []), {
    code: 'no_runtime',
    message: /^\/nowhere\/tclsh not found; install it, or name another runtime with --runtime$/,
  });
});

test('a binary is executed itself', async (t) => {
  const scratch = new Scratch(t);
  const context = contextOf(scratch);
  const command = await commandFor(
    { runtime: runtimeById('executable'), how: '' },
    { file: '../../bin/echo' },
    ['{file}', '-n'],
    { ...context, cwd: '/usr/bin' },
  );
  assert.deepEqual(command, { file: '/bin/echo', args: ['{file}', '-n'], env: {}, source: 'the file itself' });
  await assert.rejects(commandFor({ runtime: runtimeById('executable'), how: '' }, { code: 'x' }, [], context), {
    code: 'usage',
    message: /runs files only/,
  });
});

test("a preload is given to the node of PATH when that takes it, else to prisn's own, and its version is asked once", async (t) => {
  const scratch = new Scratch(t);
  const node = scratch.path('bin/node');
  const context = contextOf(scratch, { PATH: `${scratch.path('bin')}:/usr/bin:/bin` });
  const preload: Preload = { args: ['--import=file:///x.js'], env: { GIVEN: 'yes' }, minimum: '24' };
  const commandWith = (given?: Preload) =>
    commandFor({ runtime: runtimeById('node'), how: '' }, { file: 'a.js' }, ['one'], context, given);
  const install = (version: string) => scratch.script('bin/node', `echo "$@" >> ${scratch.path('calls')}; echo v${version}`);
  install('20.19.0');
  assert.deepEqual(await commandWith(), { file: node, args: ['a.js', 'one'], env: {}, source: 'PATH' });
  assert.deepEqual(scratch.log('calls'), [], 'any version runs what needs none');
  const source = `prisn's own, since this needs Node.js 24 and ${node} is older`;
  const args = ['--import=file:///x.js', 'a.js', 'one'];
  for (const _ of [1, 2])
    assert.deepEqual(await commandWith(preload), { file: process.execPath, args, env: { GIVEN: 'yes' }, source });
  assert.deepEqual(scratch.log('calls'), ['--version']);
  install('24.0.0-nightly');
  assert.equal((await commandWith(preload)).file, node);
  scratch.script('bin/node', 'exit 1');
  assert.equal((await commandWith(preload)).file, process.execPath, 'a node that does not start');
});

test('a runtime sets its variables where the caller has not', async (t) => {
  const scratch = new Scratch(t);
  const base = runtimeById('sh');
  assert.ok(base.kind === 'process');
  const detection = { runtime: { ...base, env: { A: 'runtime', B: 'runtime' } }, how: '' };
  const { env } = await commandFor(detection, { code: '' }, [], contextOf(scratch, { B: 'caller' }));
  assert.deepEqual(env, { A: 'runtime' });
});

test('a template is filled item by item', () => {
  assert.deepEqual(fillTemplate(['run', '--file={file}', '{args}', 'end'], { file: 'x' }, ['{code}', 'a']), [
    'run',
    '--file=x',
    '{code}',
    'a',
    'end',
  ]);
  assert.deepEqual(fillTemplate(['{code}'], { code: '$& {file} {args}' }, []), ['$& {file} {args}']);
});

test('versions are compared by number', () => {
  for (const [version, minimum] of [
    ['3.10.2', '3.9'],
    ['22.18.0', '22.18'],
    ['23', '22.18'],
    ['3.8', '3.8.0'],
  ] as const)
    assert.ok(isAtLeast(version, minimum), version);
  for (const [version, minimum] of [
    ['3.7.9', '3.8'],
    ['22.9.0', '22.18'],
    ['22', '22.18'],
  ] as const)
    assert.ok(!isAtLeast(version, minimum), version);
});
