import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startProcess } from '../../../sandbox/process/spawn.ts';
import { carriersOf, fixture, isAlive, python, recorder, taskOf, until } from './harness.ts';

describe('a recorded run', () => {
  test('brings stdout and stderr to the sink and its stdin to the program', async () => {
    const sink = recorder();
    const run = startProcess(taskOf('/bin/sh', ['-c', 'cat; echo err >&2; exit 3']), sink, {
      stdin: new TextEncoder().encode('in\0put'),
    });
    assert.deepEqual(await run.exited, { reason: 'exit', exitCode: 3 });
    assert.equal(sink.stdoutText(), 'in\0put');
    assert.equal(sink.stderrText(), 'err\n');
  });

  test('has an empty stdin by default', async () => {
    const sink = recorder();
    assert.equal((await startProcess(taskOf('/bin/cat'), sink).exited).exitCode, 0);
    assert.equal(sink.stdoutText(), '');
  });

  test('brings all of a large output', async () => {
    const sink = recorder();
    await startProcess(taskOf('/usr/bin/head', ['-c', String(20 * 2 ** 20), '/dev/zero']), sink).exited;
    assert.equal(sink.bytes(), 20 * 2 ** 20);
  });

  test('does not mind a program that leaves its input unread', async () => {
    const run = startProcess(taskOf('/bin/true'), recorder(), { stdin: new Uint8Array(10 * 2 ** 20) });
    assert.equal((await run.exited).exitCode, 0);
  });

  test('ends with the program, though a process that escaped holds its output, and loses no word', async () => {
    const sink = recorder();
    const started = performance.now();
    await startProcess(taskOf(python, [fixture('escapes-with-stdout.py')]), sink).exited;
    assert.equal(sink.stdoutText(), 'last words');
    // The escaped process lives five seconds.
    assert.ok(performance.now() - started < 4500);
  });

  test('takes what the program left in the background with it', async () => {
    const sink = recorder();
    const task = taskOf(python, [fixture('double-forks.py'), '--leave']);
    assert.equal((await startProcess(task, sink).exited).exitCode, 0);
    const daemon = Number(/ready \d+ (\d+)/.exec(sink.stdoutText())?.[1]);
    assert.ok(daemon > 0 && !isAlive(daemon));
  });

  test('ends as canceled when it is stopped, whole, and the first cause wins', async () => {
    const sink = recorder();
    const task = taskOf(python, [fixture('double-forks.py')], { limits: { timeoutMs: 60_000 } });
    const run = startProcess(task, sink);
    await until('it ready', () => sink.stdoutText().includes('ready'));
    run.stop();
    run.stop();
    assert.equal((await run.exited).reason, 'canceled');
    assert.deepEqual(carriersOf(task.runId), []);
  });

  test('ends at its timeout', async () => {
    const task = taskOf('/bin/sleep', ['1000'], { limits: { timeoutMs: 200 } });
    assert.equal((await startProcess(task, recorder()).exited).reason, 'timeout');
    assert.deepEqual(carriersOf(task.runId), []);
  });

  test('that cannot be started has ended as invalid', async () => {
    const { exited, stop } = startProcess(taskOf('/no/such/program'), recorder());
    stop();
    assert.deepEqual([(await exited).reason, (await exited).exitCode], ['invalid', 127]);
  });
});
