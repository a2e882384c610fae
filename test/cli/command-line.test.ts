/** Plain command lines mean the same by `command-line.ts` as by commander, and it leaves everything else to commander. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Command, Option } from '../../src/cli/command.ts';
import { plainCall } from '../../src/cli/command-line.ts';
import { readByCommander } from '../../src/cli/commander.ts';

type Call = readonly [command: string, ...values: unknown[]];

/** A program with one of everything that commands declare. @param called gets what an action got */
function program(called: (call: Call) => void): Command {
  const root = new Command('prisn');
  const record =
    (name: string) =>
    (...values: unknown[]): void =>
      called([name, ...values]);
  root
    .command('get')
    .argument('<kind>')
    .argument('[names...]')
    .option('-w, --watch')
    .addOption(new Option('-o, --output <format>').choices(['table', 'json']).default('table'))
    .option('--no-headers')
    .option('--limit <n>', '', Number, 100)
    .option('-e, --env <KEY=VALUE>', '', (value: string, before: readonly string[] = []) => [...before, value])
    .addOption(new Option('--all').conflicts('watch'))
    .action(record('get'));
  root
    .command('trigger')
    .argument('[deployment]', '', (text: string) => text.toUpperCase())
    .option('--wait [time]')
    .option('--reuse')
    .option('--no-reuse')
    .option('--idempotency-key <key>')
    .action(record('trigger'));
  root.command('scale').argument('<deployment>').requiredOption('--replicas <n>', '', Number).action(record('scale'));
  const server = root.command('server').argument('[command]').option('--addr <address>').action(record('server'));
  for (const command of [root, server]) command.enablePositionalOptions();
  server.command('start').option('--addr <address>').action(record('server start'));
  server.command('stop').option('--now').action(record('server stop'));
  root.command('config').command('list').action(record('config list'));
  return root;
}

async function byPlain(words: readonly string[]): Promise<Call | undefined> {
  let seen: Call | undefined;
  await plainCall(
    program((call) => {
      seen = call;
    }),
    words,
  )?.();
  return seen;
}

/** What commander hands on after the values is its own command. */
async function byCommander(words: readonly string[]): Promise<Call | undefined> {
  let seen: Call | undefined;
  const root = program((call) => {
    seen = call.slice(0, -1) as unknown as Call;
  });
  await silently(() => readByCommander(root, '1.2.3', words));
  return seen;
}

/** Commander tells of mistakes. */
async function silently(run: () => Promise<unknown>): Promise<void> {
  const writes = [process.stdout, process.stderr].map((stream) => {
    const { write } = stream;
    stream.write = () => true;
    return () => {
      stream.write = write;
    };
  });
  try {
    await run();
  } finally {
    for (const restore of writes) restore();
  }
}

const plain: readonly (readonly [string, Call])[] = [
  ['get apps', ['get', 'apps', [], { output: 'table', headers: true, limit: 100 }]],
  ['get apps a b -w -o json', ['get', 'apps', ['a', 'b'], { output: 'json', headers: true, limit: 100, watch: true }]],
  ['get --no-headers --limit=5 apps', ['get', 'apps', [], { output: 'table', headers: false, limit: 5 }]],
  ['get apps -e A=1 --env B==2', ['get', 'apps', [], { output: 'table', headers: true, limit: 100, env: ['A=1', 'B==2'] }]],
  ['get apps --limit 1 --limit 2', ['get', 'apps', [], { output: 'table', headers: true, limit: 2 }]],
  ['get -', ['get', '-', [], { output: 'table', headers: true, limit: 100 }]],
  ['trigger', ['trigger', undefined, {}]],
  ['trigger job --wait', ['trigger', 'JOB', { wait: true }]],
  ['trigger --wait=3s job', ['trigger', 'JOB', { wait: '3s' }]],
  ['trigger job --reuse', ['trigger', 'JOB', { reuse: true }]],
  ['trigger job --no-reuse', ['trigger', 'JOB', { reuse: false }]],
  ['trigger job --idempotency-key=', ['trigger', 'JOB', { idempotencyKey: '' }]],
  ['scale api --replicas 3', ['scale', 'api', { replicas: 3 }]],
  ['server', ['server', undefined, {}]],
  ['server --addr x:1', ['server', undefined, { addr: 'x:1' }]],
  ['server start --addr x:1', ['server start', { addr: 'x:1' }]],
  ['config list', ['config list', {}]],
];

for (const [line, call] of plain)
  test(`'${line}' is plain, and means the same to commander`, async () => {
    const words = line.split(' ');
    assert.deepEqual(await byPlain(words), call);
    assert.deepEqual(await byCommander(words), call);
  });

/** Help, mistakes, and forms that are seldom used. */
const notPlain = [
  'get',
  'get apps --help',
  'get apps -h',
  'get apps --loud',
  'get apps -wo json',
  'get apps -ojson',
  'get apps -o yaml',
  'get apps -o',
  'get apps --watch=yes',
  'get apps --all --watch',
  'get -- apps',
  'trigger --wait job',
  'trigger a b',
  'scale api',
  'scale api --replicas -1',
  'server strat',
  'server --addr x:1 start',
  'server stop now',
  'config',
  'config lst',
  'help',
  '',
];

for (const line of notPlain)
  test(`'${line}' is left to commander, and no parser of a value has seen it`, () => {
    const untouched = program(() => assert.fail());
    for (const { options } of untouched.commands) for (const option of options) option.parse &&= () => assert.fail();
    assert.equal(plainCall(untouched, line.split(' ').filter(Boolean)), undefined);
  });

test('what is plain means the same to commander, whatever the words', async () => {
  const vocabulary = `get trigger scale server start stop config list apps a - -- 5 json
    -w --watch -o --output --output=json --no-headers --headers --limit --limit=7 -e --env=A=1
    --all --wait --wait=1s --reuse --no-reuse --replicas --replicas=2 --addr --addr=x --now -x --help`.split(/\s+/);
  const first = fc.constantFrom('get', 'trigger', 'scale', 'server', 'config');
  const lines = fc.tuple(first, fc.array(fc.constantFrom('', ...vocabulary), { maxLength: 5 }));
  await fc.assert(
    fc.asyncProperty(lines, async ([word, rest]) => {
      const words = [word, ...rest];
      const call = await byPlain(words);
      if (call) assert.deepEqual(call, await byCommander(words));
    }),
    { numRuns: 1500 },
  );
});
