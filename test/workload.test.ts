import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { IsolatePool } from '../sandbox/isolate/pool.ts';
import type { ProgramFiles, ProgramText, RunningWorkload, Workload, Workloads } from '../src/engine/ports.ts';
import type { FunctionHead } from '../src/model/task.ts';
import type { Outcome } from '../src/model/outcome.ts';
import { createWorkloads } from '../src/workload.ts';
import { needs } from './machine.ts';
import { carriersOf, commandOf, needsProc, until } from './processes.ts';
import { Scratch } from './scratch.ts';

const scratch = new Scratch();
const pool = new IsolatePool({ threads: 1, maxHostBytes: 2 ** 30 });
after(() => pool.close());

/** A daemon's environment, with what no program may see. */
const ofDaemon = {
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  LANG: 'C.UTF-8',
  TZ: 'Asia/Tokyo',
  PRISN_HOME: '/somewhere',
  PRISN_MASTER_KEY: 'secret',
  PYTHONSTARTUP: '/no',
  OF_OURS: 'secret',
};
const workloadsWith = (env: NodeJS.ProcessEnv): Workloads =>
  createWorkloads({ pool, cacheDir: scratch.folder('cache'), env: { ...ofDaemon, ...env } });
const workloads = workloadsWith({});

let runs = 0;

interface Started {
  readonly workload: Workload;
  readonly running: RunningWorkload;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

async function start(program: ProgramFiles | ProgramText, more: Partial<Workload> = {}): Promise<Started> {
  const runId = `test-workload-${process.pid}-${++runs}`;
  const cwd = scratch.folder(runId);
  const workload: Workload = { runId, domain: 'test', program, args: [], env: {}, cwd, limits: {}, ...more };
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const running = (await workloads.prepare(workload)).start({
    stdout: (chunk) => void chunks.stdout.push(Buffer.from(chunk)),
    stderr: (chunk) => void chunks.stderr.push(Buffer.from(chunk)),
  });
  const text = (stream: 'stdout' | 'stderr') => () => Buffer.concat(chunks[stream]).toString();
  return { workload, running, stdout: text('stdout'), stderr: text('stderr') };
}

async function run(
  program: ProgramFiles | ProgramText,
  more: Partial<Workload> = {},
): Promise<Outcome & { stdout: string; stderr: string }> {
  const { running, stdout, stderr } = await start(program, more);
  const outcome = await running.exited;
  return { ...outcome, stdout: stdout(), stderr: stderr() };
}

const js = (source: string): ProgramText => ({ source, runtime: 'javascript' });
const python = (source: string): ProgramText => ({ source, runtime: 'python' });
const sh = (source: string): ProgramText => ({ source, runtime: 'sh' });

function file(name: string, text: string, runtime?: string): ProgramFiles {
  const folder = `files-${++runs}`;
  scratch.file(`${folder}/${name}`, text);
  return { folder: scratch.path(folder), entrypoint: name, ...(runtime !== undefined && { runtime }) };
}

describe('what runs a program', () => {
  const chosen: readonly (readonly [what: string, program: () => ProgramFiles | ProgramText, runtime: string, kind: string])[] = [
    ['JavaScript text', () => js('console.log(1)'), 'javascript', 'isolate'],
    ['a JavaScript file', () => file('a.js', 'console.log(1)'), 'javascript', 'isolate'],
    ['a TypeScript file', () => file('a.ts', 'const x: number = 1; console.log(x)'), 'typescript', 'isolate'],
    ['JavaScript that an isolate lacks something for', () => file('a.js', 'import "node:fs"'), 'node', 'process'],
    ['JavaScript that is to run in node', () => file('a.js', 'console.log(1)', 'node'), 'node', 'process'],
    ['JavaScript that is to run in an isolate', () => file('a.js', 'console.log(typeof Buffer)', 'js'), 'javascript', 'isolate'],
    ['a shell script', () => file('a.sh', 'echo'), 'sh', 'process'],
    ['a file of the name of a runtime that was given', () => file('a.txt', 'echo', 'sh'), 'sh', 'process'],
  ];
  for (const [what, program, runtime, kind] of chosen) {
    test(`${what}: ${runtime}, ${kind}`, async () => {
      const resolved = await workloads.resolve(program());
      assert.deepEqual([resolved.runtime, resolved.kind], [runtime, kind]);
      assert.notEqual(resolved.why, '');
    });
  }

  const refused: readonly (readonly [what: string, program: () => ProgramFiles | ProgramText, code: string])[] = [
    ['a runtime that nobody knows', () => ({ source: '1', runtime: 'cobol' }), 'no_runtime'],
    ['a file of no kind', () => file('a.xyz', 'text'), 'cannot_run'],
    ['a file that is not there', () => ({ folder: scratch.root, entrypoint: 'missing.py' }), 'cannot_run'],
  ];
  for (const [what, program, code] of refused)
    test(`${what} is refused`, () => assert.rejects(workloads.resolve(program()), { code }));

  test('an interpreter that is not installed is refused', () =>
    assert.rejects(workloadsWith({ PATH: scratch.folder('empty') }).resolve(python('1')), { code: 'no_runtime' }));
});

describe('a workload in an isolate', () => {
  test('gets arguments, variables, input and a clean base, and gives its result', async () => {
    const source =
      'console.log(process.argv.slice(2).join(), JSON.stringify(process.env)); export default (input) => ({ input });';
    const { reason, exitCode, result, stdout } = await run(js(source), { args: ['a', 'b'], env: { K: 'v' }, input: '{"n":1}' });
    assert.deepEqual([reason, exitCode, result], ['exit', 0, '{"input":{"n":1}}']);
    const [args = '', env = ''] = stdout.split(/ (.*)/s);
    assert.equal(args, 'a,b');
    const { PATH, HOME, LANG, TZ } = ofDaemon;
    assert.deepEqual(JSON.parse(env), { PATH, HOME, LANG, TZ, HOST: '127.0.0.1', K: 'v' });
  });

  test('answers a request', async () => {
    const program = js('export default { fetch: async (request) => new Response(await request.text(), { status: 201 }) };');
    const request = { method: 'POST', url: 'http://localhost/fn/x', headers: [], body: Buffer.from('hello') };
    const cwd = scratch.folder('request');
    const prepared = await workloads.prepare({
      runId: 'request',
      domain: 'test',
      program,
      args: [],
      env: {},
      cwd,
      limits: {},
      request,
    });
    const heads: FunctionHead[] = [];
    let body = '';
    const running = prepared.start({
      stdout: () => {},
      stderr: () => {},
      head: (head) => void heads.push(head),
      body: (chunk) => {
        body += Buffer.from(chunk).toString();
        running.taken(chunk.length);
      },
    });
    assert.equal((await running.exited).exitCode, 0);
    assert.deepEqual([heads.map(({ status }) => status), body], [[201], 'hello']);
  });

  test('that writes more than is ever under way is not held back', async () => {
    const { exitCode, stdout } = await run(js('for (let i = 0; i < 3000; i++) console.log("x".repeat(1000))'));
    assert.deepEqual([exitCode, stdout.length], [0, 3000 * 1001]);
  });

  test('that fails before its first line tells so on stderr and ends with 1', async () => {
    const { reason, exitCode, stderr } = await run({ source: 'let x: number = ;', runtime: 'ts' });
    assert.deepEqual([reason, exitCode], ['exit', 1]);
    assert.match(stderr, /SyntaxError/);
  });

  test('is stopped', async () => {
    const { running } = await start(js('setInterval(() => {}, 1000)'));
    running.stop();
    assert.equal((await running.exited).reason, 'canceled');
  });

  for (const limits of [{ cpu: 1 }, { pids: 100 }])
    test(`cannot be limited in ${Object.keys(limits).join()}`, () =>
      assert.rejects(start(js('1'), { limits }), { code: 'usage', message: /runtime node/ }));
});

describe('a workload in a process', () => {
  const source = 'import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), sys.stdin.read(), os.getcwd()]))';

  test('gets arguments, variables and a clean base', needs('python3'), async () => {
    const { stdout } = await run(python(source), { args: ['a b', ''], env: { K: 'v' } });
    const [args, env, stdin] = JSON.parse(stdout) as [string[], Record<string, string>, string];
    const { PRISN_RUN_ID: id, ...rest } = env;
    assert.match(id ?? '', /^test-workload-/);
    const { PATH, HOME, LANG, TZ } = ofDaemon;
    assert.deepEqual(rest, { PATH, HOME, LANG, TZ, HOST: '127.0.0.1', PYTHONUNBUFFERED: '1', K: 'v' });
    assert.deepEqual([args, stdin], [['a b', ''], '']);
  });

  test('gets its input on stdin, and in a variable while it is short', needs('python3'), async () => {
    for (const [input, variable] of [
      ['{"n":1}', '{"n":1}'],
      [JSON.stringify('x'.repeat(200_000)), undefined],
    ] as const) {
      const [, env, stdin] = JSON.parse((await run(python(source), { input })).stdout);
      assert.deepEqual([stdin, env.PRISN_INPUT], [input, variable]);
    }
  });

  test('that has a stdin of its own keeps it beside its input', needs('python3'), async () => {
    const [, env, stdin] = JSON.parse((await run(python(source), { input: '1', stdin: Buffer.from('own') })).stdout);
    assert.deepEqual([stdin, env.PRISN_INPUT], ['own', '1']);
  });

  test('in Python shows what it prints at once', needs('python3'), async () => {
    const { running, stdout } = await start(python('import time; print("up"); time.sleep(1000)'));
    await until('its line', () => stdout() === 'up\n');
    running.stop();
    assert.equal((await running.exited).reason, 'canceled');
  });

  test('does not show its code to those who list processes', needsProc, async () => {
    const { workload, running, stdout } = await start(sh('echo up; sleep 1000 # password'));
    await until('it up', () => stdout() === 'up\n');
    const commands = carriersOf('PRISN_RUN_ID', workload.runId).map(commandOf);
    assert.ok(commands.some((command) => command.includes('main.sh')));
    assert.ok(!commands.some((command) => command.includes('password')));
    running.stop();
    await running.exited;
  });

  const exporting = 'import "node:fs"; export default (input) => ({ got: input });';
  test('of JavaScript has its default export called with the input, however long', async () => {
    for (const input of ['5', JSON.stringify('x'.repeat(200_000))]) {
      const { exitCode, stdout } = await run(file('a.js', exporting), { input });
      assert.deepEqual([exitCode, stdout], [0, `{"got":${input}}\n`]);
    }
  });

  test('of JavaScript without a default export gets its input on stdin', async () => {
    const { stdout } = await run(file('a.mjs', 'import fs from "node:fs"; console.log(fs.readFileSync(0, "utf8"))'), {
      input: '5',
    });
    assert.equal(stdout, '5\n');
  });

  test('of TypeScript may use what node does not know', async () => {
    const text = 'import "node:fs"; enum Color { Red = "red" } export default (input: number) => ({ input, color: Color.Red });';
    const { stdout, stderr } = await run(file('a.ts', text), { input: '1' });
    assert.equal(stdout, '{"input":1,"color":"red"}\n', stderr);
  });

  test('keeps the exit code of its program', async () => {
    assert.equal((await run(sh('exit 7'))).exitCode, 7);
  });

  test('in node needs some threads', () =>
    assert.rejects(start(file('a.js', '1', 'node'), { limits: { pids: 4 } }), { code: 'usage', message: /at least 16/ }));

  test('is found and ended when nobody watches it any more', needsProc, async () => {
    const { workload, running, stdout } = await start(sh('echo up; sleep 1000'));
    await until('it up', () => stdout() === 'up\n');
    const process = await running.process;
    assert.ok(process);
    assert.ok((await workloads.endLeftover(workload.runId, process)) >= 2);
    assert.deepEqual(carriersOf('PRISN_RUN_ID', workload.runId), []);
    assert.equal((await running.exited).reason, 'signal');
  });
});
