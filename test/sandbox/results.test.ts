/** What goes into a default export that is a function, and where what it returns goes. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type IsolateRunning, IsolatePool } from '../../sandbox/isolate/pool.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { type Ended, moduleTask, record, scriptTask } from './recording.ts';

const pool = new IsolatePool({ threads: 1, maxHostBytes: 700 * 2 ** 20 });
after(() => pool.close());

const limits = { timeoutMs: 20_000 };

function run(code: string, more: Partial<IsolateTask> = {}): Promise<Ended> {
  return record((sink) => pool.start(moduleTask(code, { limits, returns: 'outcome', ...more }), sink)).ended;
}

describe('what a default export returns', () => {
  test('is JSON in the outcome, and not printed, where that is asked for', async () => {
    const { result, stdout, exitCode } = await run('export default async ({ n }) => ({ n: n + 1 })', { input: '{"n":1}' });
    assert.deepEqual([result, stdout, exitCode], ['{"n":2}', '', 0]);
  });

  test('is printed otherwise', async () => {
    const { result, stdout } = await run('export default () => [1]', { returns: 'stdout' });
    assert.deepEqual([result, stdout], [undefined, '[1]\n']);
  });

  test('is none for undefined, for a script and without a default export', async () => {
    assert.equal((await run('export default () => {}')).result, undefined);
    assert.equal((await run('export const a = 1')).result, undefined);
    const script = scriptTask('1', { limits, returns: 'outcome' });
    assert.equal((await record((sink) => pool.start(script, sink)).ended).result, undefined);
  });

  test('is asked for in vain where it answers requests only', async () => {
    const { reason, message } = await run('console.log("ran"); export default { fetch: () => new Response() }');
    assert.equal(reason, 'invalid');
    assert.match(message ?? '', /answers HTTP requests only.*call it at \/fn\/NAME/);
    const printed = await run('export default { fetch: () => new Response() }', { returns: 'stdout' });
    assert.deepEqual([printed.reason, printed.exitCode], ['exit', 0]);
  });

  test('stays with the exit code that the program chose', async () => {
    const { result, exitCode } = await run('export default () => { process.exitCode = 3; return "kept"; }');
    assert.deepEqual([result, exitCode], ['"kept"', 3]);
  });

  test('may be 512 kB of JSON', async () => {
    assert.equal((await run(`export default () => "x".repeat(512 * 1024 - 2)`)).result?.length, 512 * 1024);
  });

  for (const [title, value, size] of [
    ['a byte more', '"x".repeat(512 * 1024 - 1)', 524_289],
    ['fewer characters and more bytes', '"ü".repeat(300_000)', 600_002],
    ['a hundred megabytes', '"x".repeat(100_000_000)', 100_000_002],
  ] as const)
    test(`is invalid where it is ${title}`, async () => {
      const { reason, result, message } = await run(`export default () => ${value}`, {
        limits: { ...limits, memoryBytes: 2 ** 30 },
      });
      assert.deepEqual([reason, result], ['invalid', undefined]);
      assert.match(message ?? '', new RegExp(`returned ${size} bytes of JSON.* at most 512kb`));
    });

  test('is serialised in the isolate: a getter that loops is ended as any loop', async () => {
    const { reason } = await run('export default () => ({ get a() { for (;;); } })', { limits: { timeoutMs: 300 } });
    assert.equal(reason, 'timeout');
  });

  test('comes with how long its program took', async () => {
    const { usage } = await run('const until = Date.now() + 60; while (Date.now() < until); export default () => 1');
    assert.ok((usage?.startMs ?? 0) > 0);
    // Date.now() has whole milliseconds, and the isolate did other things too.
    assert.ok((usage?.cpuMs ?? 0) > 50, String(usage?.cpuMs));
  });
});

describe('standard input of a default export', () => {
  const echo = 'export default (input) => ({ input });';

  test('is the text that came with the task', async () => {
    assert.equal((await run(echo, { stdin: ' {"a":1}\n' })).result, '{"input":{"a":1}}');
    assert.equal((await run(echo, { stdin: ' \n' })).result, '{}');
  });

  test('is passed over where there is an input', async () => {
    assert.equal((await run(echo, { stdin: '1', input: '2' })).result, '{"input":2}');
  });

  test('that is no JSON makes the run invalid', async () => {
    const { reason, exitCode, message } = await run(echo, { stdin: 'a=1' });
    assert.deepEqual([reason, exitCode], ['invalid', 2]);
    assert.match(message ?? '', /^standard input is not JSON \(.*--input '<json>'$/);
  });

  test('is none without one and without somebody to ask', async () => {
    assert.equal((await run(echo)).result, '{}');
  });

  test('is asked for when it is read, once, and the program waits for the answer', async () => {
    const asked: string[] = [];
    const answer = (code: string, text: string | undefined) =>
      record((sink) => {
        const inputWanted = (): void => {
          asked.push(code);
          setTimeout(() => running.input(text), 30);
        };
        const running: IsolateRunning = pool.start(moduleTask(code, { limits, returns: 'outcome' }), { ...sink, inputWanted });
        return running;
      }).ended;
    assert.equal((await answer(echo, '[1]')).result, '{"input":[1]}');
    assert.equal((await answer(echo, undefined)).result, '{}');
    assert.equal((await answer(echo, '[')).reason, 'invalid');
    assert.equal((await answer('console.log(1)', '[1]')).stdout, '1\n');
    assert.deepEqual(asked, [echo, echo, echo]);
  });
});
