import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { atTerminal, entry, fixture, python, type Step, stoppedAndContinued } from './harness.ts';

const run = (name: string): string[] => [process.execPath, entry, '{}', python, fixture(name)];
/** A shell with a prompt that cannot be mistaken, its echo off, and a run as the job. */
const inShell = (input: '<&0' | '</dev/null', steps: readonly Step[]): [Step[], string[]] => [
  [
    { send: 'stty -echo; PS1=prompt; echo set\n' },
    { expect: 'set\\r\\n.*prompt' },
    { send: `${run('counts-signals.py').join(' ')} ${input}\n` },
    { expect: 'ready \\d+' },
    { handles: 1 },
    ...steps,
  ],
  ['/bin/bash', '--norc', '--noediting', '-i'],
];

/** Shows that prisn has taken notice of what came before: the kernel merges equal signals that wait. */
const seen = (times: number): Step[] => [{ kill: 'USR1' }, { expect: `SIGUSR1 ${times}` }];

describe('at a terminal', () => {
  test('the program has the terminal, in the foreground, with its size', async () => {
    const { output, code } = await atTerminal([{ resize: [33, 99] }, { expect: 'size' }], run('tells-terminal.py'));
    assert.equal(code, 0);
    assert.match(output, /tty True True True\r\nforeground True size 99 33\r\n/);
  });

  test('it keeps the terminal also when stdin is something else', async () => {
    const { output, code } = await atTerminal([{ stdin: 'null' }, { expect: 'size' }], run('tells-terminal.py'));
    assert.equal(code, 0);
    assert.match(output, /tty False True True\r\nforeground True/);
  });

  test('Ctrl-C reaches a program that handles it exactly once, and a signal to prisn alone also', async () => {
    const { output, code } = await atTerminal(
      [
        { expect: 'ready' },
        { handles: 1 },
        { send: '\x03' },
        { expect: 'SIGINT 1' },
        ...seen(1),
        { kill: 'INT' },
        { expect: 'SIGINT 2' },
        { send: '\x1c' },
        { expect: 'SIGQUIT 1' },
        ...seen(2),
        { kill: 'QUIT' },
        { expect: 'SIGQUIT 2' },
        { killgroup: 'TERM' },
        { expect: 'SIGTERM 1' },
        ...seen(3),
        { kill: 'TERM' },
        { expect: 'SIGTERM 2' },
        { resize: [30, 90] },
        { expect: 'SIGWINCH 1' },
        ...seen(4),
        { send: '\x03' },
        { expect: 'SIGINT 3' },
        ...seen(5),
        { send: 'quit\n' },
      ],
      run('counts-signals.py'),
    );
    assert.equal(code, 0, output);
    const heard = [...output.matchAll(/SIG(?!USR)\w+ \d/g)].map(String).sort();
    assert.deepEqual(heard, [
      'SIGINT 1',
      'SIGINT 2',
      'SIGINT 3',
      'SIGQUIT 1',
      'SIGQUIT 2',
      'SIGTERM 1',
      'SIGTERM 2',
      'SIGWINCH 1',
    ]);
  });

  test('Ctrl-C ends a program that does not handle it, with 130', async () => {
    const { output, code } = await atTerminal(
      [{ handles: 1 }, { send: '\x03' }],
      [process.execPath, entry, '{}', '/bin/sleep', '1000'],
    );
    assert.equal(code, 130, output);
  });

  test('Ctrl-Z stops the job, fg continues it, and Ctrl-C still reaches it once', async () => {
    const [steps, shell] = inShell('<&0', stoppedAndContinued);
    const { output, error } = await atTerminal(steps, shell);
    assert.equal(error, undefined, output);
    assert.ok(!output.includes('SIGINT 2'), output);
  });

  test("a shell's kill of the job, and bg, work", async () => {
    const [steps, shell] = inShell('</dev/null', [
      { send: '\x1a' },
      { expect: 'Stopped' },
      { expect: 'prompt' },
      { send: 'bg; kill -USR1 %1\n' },
      { expect: 'SIGUSR1 1' },
      { send: 'kill -USR2 %1; wait %1; echo code=$?; exit\n' },
      { expect: 'code=0' },
    ]);
    const { output, error } = await atTerminal(steps, shell);
    assert.equal(error, undefined, output);
    assert.ok(!output.includes('SIGUSR1 2'), output);
  });
});
