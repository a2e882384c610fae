/** Python of a fork server at a terminal: the launcher stands in for it in its shell's job. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { needsLauncher } from '../clients.ts';
import { needs } from '../machine.ts';
import { bin, environment, prisn, root, startPrisn } from '../prisn.ts';
import { carriersOf, until } from '../processes.ts';
import { atTerminal, type Step, stoppedAndContinued } from '../sandbox/process/harness.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const skip = needsLauncher.skip || needs('python3', 'bash').skip;

const scratch = new Scratch();
const home = skip === false ? await warmServer() : '';

/** @returns the home of a server that has a fork server ready */
async function warmServer(): Promise<string> {
  const server = await Server.start({ after });
  const file = scratch.file('warms.py');
  // A start that is under way ends by itself; each run asks for it once more.
  for (let said = ''; !said.includes('without -v'); ) said = (await server.prisn(['run', '-v', file])).stderr;
  return server.home;
}

describe('at a terminal, a program of a fork server', { skip }, () => {
  const counts = join(root, 'test/fixtures/process/counts-signals.py');
  function play(steps: readonly Step[], file: string, command: readonly string[] = [bin, 'run', file]) {
    const { PATH = '', HOME = '' } = environment();
    return atTerminal(steps, [
      'env',
      '-i',
      `PATH=${PATH}`,
      `HOME=${HOME}`,
      'LANG=C.UTF-8',
      'CI=1',
      `PRISN_HOME=${home}`,
      ...command,
    ]);
  }

  test('reads a line that is typed, and has no terminal but its descriptors', async () => {
    const file = scratch.file(
      'asks.py',
      'import os\nprint(input("name? "), os.isatty(1))\ntry: os.open("/dev/tty", os.O_RDWR)\nexcept OSError as error: print(error)',
    );
    const { output, code } = await play([{ expect: 'name\\? ' }, { send: 'Ada\n' }, { expect: 'dev/tty' }], file);
    assert.match(output, /Ada True\r\n.*'\/dev\/tty'\r\n/);
    assert.equal(code, 0);
  });

  test('hears each key and signal once', async () => {
    const { output, code } = await play(
      [
        { expect: 'ready' },
        { send: '\x03' },
        { expect: 'SIGINT 1' },
        { send: '\x1c' },
        { expect: 'SIGQUIT 1' },
        { kill: 'TERM' },
        { expect: 'SIGTERM 1' },
        { resize: [30, 90] },
        { expect: 'SIGWINCH 1' },
        { send: 'quit\n' },
      ],
      counts,
    );
    assert.equal(code, 0, output);
    assert.doesNotMatch(output, /SIG\w+ 2/);
  });

  test('ends by Ctrl-C with its traceback, and the launcher by SIGINT', async () => {
    const file = scratch.file('sleeps.py', 'import time\nprint("up", flush=True)\ntime.sleep(60)');
    const { output, code } = await play([{ expect: 'up' }, { send: '\x03' }], file);
    assert.match(output, /KeyboardInterrupt/);
    assert.equal(code, 130);
  });

  test('stops by Ctrl-Z as a job of the shell, and goes on by fg', async () => {
    const { output, error } = await play(
      [
        { send: 'stty -echo; PS1=prompt; echo set\n' },
        { expect: 'set\\r\\n.*prompt' },
        { send: `${bin} run ${counts}\n` },
        { expect: 'ready \\d+' },
        ...stoppedAndContinued,
      ],
      counts,
      ['/bin/bash', '--norc', '--noediting', '-i'],
    );
    assert.equal(error, undefined, output);
    assert.doesNotMatch(output, /SIGINT 2/);
  });

  test('is run by the Node client in the background of the terminal, which it must not read', async () => {
    const file = scratch.file('session.py', 'import os\nprint("alone", os.getsid(0) == os.getpid())');
    const { output, error } = await play([{ send: `${bin} run ${file} & wait; exit\n` }, { expect: 'alone False' }], file, [
      '/bin/bash',
      '--norc',
      '--noediting',
      '-i',
    ]);
    assert.equal(error, undefined, output);
  });

  test('has the reader of its output gone, and its whole tree with the launcher', async () => {
    const yes = scratch.file('yes.py', 'while True: print("y")');
    const piped = await prisn(['-c', '"$0" run "$1" | head -n 1', bin, yes], {
      command: ['/bin/sh'],
      env: { PRISN_HOME: home },
    });
    assert.equal(piped.stdout, 'y\n');
    assert.match(piped.stderr, /BrokenPipeError/);
    const marker = `launched-${process.pid}`;
    const tree = scratch.file(
      'tree.py',
      'import subprocess, time\nsubprocess.Popen(["sleep", "60"], start_new_session=True)\nprint("up", flush=True)\ntime.sleep(60)',
    );
    const child = startPrisn(['run', tree], { env: { PRISN_HOME: home, TEST_MARKER: marker } });
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    assert.ok(carriersOf('TEST_MARKER', marker).length > 0);
    child.kill('SIGKILL');
    await until('the tree is gone', () => carriersOf('TEST_MARKER', marker).length === 0);
  });
});
