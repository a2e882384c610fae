/** The native launcher: what it sends, what it leaves to the Node client, and how it serves a program of a fork server. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { after, before, beforeEach, describe, test } from 'node:test';
import { encodeFrame, FrameReader } from '../../src/base/frames.ts';
import { parseRunArguments, runOptions } from '../../src/cli/run-options.ts';
import { type LaunchRequest, launchRequestIn, type Ticket, ticketPayload } from '../../src/model/launch.ts';
import { clients, launcher, needsLauncher } from '../clients.ts';
import { needs } from '../machine.ts';
import { bin, prisn, type Result, root, type RunOptions, startPrisn } from '../prisn.ts';
import { isAlive, stateOf, until } from '../processes.ts';
import { Scratch } from '../scratch.ts';
import { startWarmServer, type WarmServer } from '../warm-server.ts';

const scratch = new Scratch();
const build = (): string => readFileSync(join(root, 'dist/launcher/build'), 'utf8');

/** What launchers have asked for. */
const asked: LaunchRequest[] = [];
let answer: (request: LaunchRequest) => Buffer;
let server: WarmServer;

/** The launcher below a stub that only says why it was called again. */
const lone = join(scratch.root, 'alone/dist/launcher', process.arch);

before(async () => {
  server = await startWarmServer(scratch.folder('home'), serve);
  scratch.script('alone/bin/prisn', 'echo "declined: $PRISN_DECLINED"');
  if (needsLauncher.skip === false) scratch.file(`alone/dist/launcher/${process.arch}`, readFileSync(launcher), 0o755);
});
after(() => server.close());
beforeEach(() => {
  asked.length = 0;
  answer = () => encodeFrame('N', 'this is a test');
});

function serve(socket: Duplex, head: Buffer): void {
  const reader = new FrameReader();
  socket.on('error', () => {});
  const hear = (chunk: Buffer): void => {
    for (const { type, payload } of reader.read(chunk)) {
      if (type === 'R') socket.end(encodeFrame('N', '{"why":"this is a test"}'));
      const request = type === 'L' ? launchRequestIn(payload) : undefined;
      if (request === undefined) continue;
      asked.push(request);
      socket.write(answer(request));
    }
  };
  socket.on('data', hear);
  hear(head);
}

function run(words: readonly string[], options: RunOptions = {}): Promise<Result> {
  return prisn(['run', ...words], { ...options, env: { PRISN_SOCKET: server.socket, ...options.env } });
}

test('the launcher compiles without a warning', needs('cc'), () => {
  const words = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Wconversion', '-Werror', '-fsyntax-only'];
  const source = join(root, 'src/launcher/prisn.c');
  const { stderr } = spawnSync('cc', [...words, '-I', join(root, 'dist/launcher'), source], { encoding: 'utf8' });
  assert.equal(stderr, '');
});

describe('the words of a run', needsLauncher, () => {
  const file = scratch.file('words.js', 'console.log(process.argv.length)');
  const forms = runOptions.flatMap((option): string[][] => {
    const value = exampleOf(option.long);
    if (value === undefined) return [[option.long], [`${option.long}=x`]];
    const short = 'short' in option ? [[option.short, value], [`${option.short}${value}`], [`${option.short}=${value}`]] : [];
    return [[option.long, value], [`${option.long}=${value}`], [`${option.long}=`], [option.long], ...short].flatMap((form) => [
      form,
      [...form, ...form],
    ]);
  });
  const lines = [
    ...forms.map((form) => [...form, file]),
    ...forms.map((form) => [file, ...form]),
    ...forms.map((form) => ['--', file, ...form]),
    ['-e', 'A=1', '-eB=2', '--env=A=3', '--runtime', 'js', '--', file, '--', '-x', '', 'a\nb', 'ü'],
    ['--unknown', file],
    ['-x', file],
    ['-ve', 'A=1', file],
    ['-', 'x'],
    ['--'],
    [],
    ['--', '-'],
  ];

  test('are sent as the Node client takes them, or not at all', async () => {
    for (const words of lines) {
      asked.length = 0;
      const result = await run(words, { command: [lone] });
      const expected = expectedOf(words);
      assert.equal(asked.length, expected === undefined ? 0 : 1, `${JSON.stringify(words)}: ${result.stdout}`);
      if (expected === undefined) continue;
      const { options, file: sent, args } = asked[0] as LaunchRequest;
      assert.deepEqual({ options: options.toSorted(), file: sent, args }, expected);
    }
  });

  test('have the same result by either client', async () => {
    for (const words of lines.filter((_, i) => i % 11 === 0)) {
      const [one, other] = await Promise.all(clients.map(({ env }) => run(words, { cwd: root, env })));
      assert.deepEqual([one?.stdout, one?.stderr, one?.code], [other?.stdout, other?.stderr, other?.code], words.join(' '));
    }
  });
});

/** A value that the option takes; undefined for a flag. */
function exampleOf(long: (typeof runOptions)[number]['long']): string | undefined {
  const option = runOptions.find((row) => row.long === long);
  if (!option || !('value' in option)) return undefined;
  return (
    { '--env': 'A=b', '--input': '1', '--workdir': '/', '--runtime': 'js', '--timeout': '9s', '--memory': '1gb' }[
      long as string
    ] ?? '1'
  );
}

/** What the launcher shall send, by the parser of the Node client; undefined where that client shall do it. */
function expectedOf(words: readonly string[]): { options: string[]; file: string; args: readonly string[] } | undefined {
  try {
    const { options, file, args, misplaced } = parseRunArguments(words);
    const isLaunched = (name: string): boolean => runOptions.some((row) => row.long === name && 'launched' in row);
    if (file === undefined || file === '-' || misplaced || ![...options.keys()].every(isLaunched)) return undefined;
    return {
      options: [...options].flatMap(([name, values]) => values.map((value) => `${name}=${value}`)).toSorted(),
      file,
      args,
    };
  } catch {
    return undefined;
  }
}

describe('the launcher tells the daemon', needsLauncher, () => {
  const file = scratch.file('told.js', '1');

  test('who asks, where, and with which build', async () => {
    const result = await run(['told.js'], { cwd: scratch.root, env: { GREETING: 'hällo', PRISN_TOKEN: 'secret', EMPTY: '' } });
    assert.equal(result.code, 0, result.stderr);
    const [request] = asked as [LaunchRequest];
    assert.deepEqual([request.build, request.cwd, request.file], [build(), scratch.root, 'told.js']);
    assert.deepEqual([request.env['GREETING'], request.env['EMPTY'], request.env['PRISN_TOKEN']], ['hällo', '', undefined]);
    assert.deepEqual(request.terminals, [false, false, false]);
    assert.match(request.identity, /^Uid:\t\d+.*\nroot \/\n/s);
    assert.match(request.fileId, /^\d+:\d+$/);
  });

  test('nothing, where the program would not be the same', async () => {
    const cases: readonly (readonly [why: string, script: string])[] = [
      ['PRISN_DAEMON is off', 'PRISN_DAEMON=off "$0" run -v "$1"'],
      ['PRISN_SERVER names a server', 'PRISN_SERVER=http://localhost:1 "$0" run -v "$1"'],
      ['descriptor 0 is closed', '"$0" run -v "$1" <&-'],
      ['the environment is not UTF-8', 'A=$(printf "\\377") "$0" run -v "$1"'],
      ["the environment has what is prisn's own", 'PRISN_IGNORED=1 "$0" run -v "$1"'],
      ['PRISN_LAUNCHER is off', 'PRISN_LAUNCHER=off "$0" run -v "$1"'],
      ['the daemon does not answer: No such file or directory', 'PRISN_SOCKET=/nowhere "$0" run -v "$1"'],
      ['no daemon is there', 'PRISN_SOCKET= PRISN_HOME=/nowhere "$0" run -v "$1"'],
      ['the current directory has no name', 'mkdir gone && cd gone && rmdir ../gone && "$0" run -v "$1" 2>&1 | grep since >&2'],
      ['--timeout is for the command itself', '"$0" run -v --timeout 9s "$1"'],
      ['it is no regular file', 'cat "$1" | "$0" run -v --runtime js /dev/stdin'],
    ];
    for (const [why, script] of cases) {
      const { stderr } = await prisn(['-c', script, bin, file], {
        command: ['/bin/sh'],
        cwd: scratch.root,
        env: { PRISN_SOCKET: server.socket },
      });
      assert.match(stderr, new RegExp(`^prisn: not by the launcher, since ${why}\n`), script);
    }
    // The Node client refuses that.
    const strange = ['-c', '"$0" run "$1" "$(printf "\\300\\257")"', bin, file];
    const { code } = await prisn(strange, { command: ['/bin/sh'], env: { PRISN_SOCKET: server.socket } });
    assert.deepEqual([code, asked.length], [2, 0]);
  });

  test('nothing, where a name in the environment is strange or stands there twice', async () => {
    for (const [entry, why] of [
      ['1=2', 'the environment has a strange name'],
      ['A=2', 'the environment has a name twice'],
    ] as const) {
      // Neither a shell nor Node hands on such an environment.
      const source = `import ctypes, sys
words = lambda *all: (ctypes.c_char_p * (len(all) + 1))(*map(str.encode, all))
ctypes.CDLL(None).execve(sys.argv[1].encode(), words(*sys.argv[1:]), words("A=1", sys.argv[-1]))`;
      const { stdout } = spawnSync('python3', ['-c', source, lone, 'run', file, entry], { encoding: 'utf8' });
      assert.equal(stdout, `declined: ${why}\n`);
    }
    assert.equal(asked.length, 0);
  });
});

test('what is declined has environment, descriptors and signals as they were', needsLauncher, async () => {
  const file = scratch.file('shows.sh', 'env | sort; ls /proc/self/fd; grep SigIgn /proc/$$/status; cat <&5');
  const words = ['-c', 'trap "" HUP; exec 5<"$1"; root=b "$0" run "$1"', bin, file];
  const [one, other] = await Promise.all(
    clients.map(({ env }) => prisn(words, { command: ['/bin/sh'], env: { PRISN_SOCKET: server.socket, ...env } })),
  );
  const plain = (result: Result | undefined): string | undefined =>
    result?.stdout.replace(/^(?:PRISN_LAUNCHER=off\n|PRISN_RUN_ID=.*\n|PRISN_DESCRIPTORS=.*\n)/gm, '');
  assert.equal(plain(one), plain(other));
  assert.match(one?.stdout ?? '', /^root=b$/m);
  assert.doesNotMatch(one?.stdout ?? '', /PRISN_DECLINED/);
});

describe('a program of a fork server', { skip: needsLauncher.skip || needs('python3').skip }, () => {
  const said: Record<string, unknown>[] = [];
  const name = `prisn-test-${process.pid}-${Date.now().toString(36)}`;
  let forks: ChildProcess;

  before(async () => {
    forks = spawn('python3', [join(root, 'test/fixtures/launcher/fork-server.py'), name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: forks.stdout ?? process.stdin });
    lines.on('line', (line) => said.push(JSON.parse(line) as Record<string, unknown>));
    await once(lines, 'line');
  });
  after(async () => {
    forks.kill('SIGKILL');
    await once(forks, 'exit');
  });
  beforeEach(() => {
    said.length = 0;
    answer = ({ file }) => encodeFrame('T', ticketPayload(ticketFor(file)));
  });

  function ticketFor(file: string, more: Partial<Ticket> = {}): Ticket {
    return { socket: `@${name}`, ticket: 'f00', file, directory: '', env: {}, ...more };
  }

  test('gets its words, its environment with what is set on top, and what else a start hands on', async () => {
    const file = scratch.file('all.py', 'import os, sys\nprint(sys.argv[1:], os.getcwd(), os.environ["A"], os.environ["B"])');
    answer = () => encodeFrame('T', ticketPayload(ticketFor(file, { env: { A: 'new', B: 'set' }, directory: '/usr' })));
    const script = 'umask 027; ulimit -n 512; trap "" USR1; exec 7<"$1"; nice -n 3 "$0" run "$1" one "t w o"';
    const result = await prisn(['-c', script, bin, file], {
      command: ['/bin/sh'],
      env: { PRISN_SOCKET: server.socket, A: 'old', Z: 'last' },
    });
    assert.deepEqual([result.code, result.stdout, result.stderr], [0, "['one', 't w o'] /usr new set\n", '']);
    const { ticket, umask, nice, ignored, descriptors, rlimits, count, env, rest } = said[0] ?? {};
    assert.deepEqual([ticket, umask, nice, ignored, rest], ['f00', '27', '3', '10', ['']]);
    const numbers = String(descriptors).split(',');
    assert.ok(numbers.includes('7'));
    assert.equal(count, 4 + numbers.length);
    assert.match(String(rlimits), /(?:^|,)7:512:512(?:,|$)/);
    const keys = (env as string[]).map((entry) => entry.split('=', 1)[0]);
    assert.deepEqual(keys, [...Object.keys(asked[0]?.env ?? {}), 'B']);
  });

  test('has the descriptors of the caller, also those of a process substitution', needs('bash'), async () => {
    const file = scratch.file('reads.py', 'import sys; print(open(sys.argv[1]).read() + sys.stdin.read())');
    const result = await prisn(['-c', '"$0" run "$1" <(echo substituted) < <(echo piped)', bin, file], {
      command: ['bash'],
      env: { PRISN_SOCKET: server.socket },
    });
    assert.deepEqual([result.stdout, result.stderr], ['substituted\npiped\n\n', '']);
  });

  test('has its exit code, or 128 + n, and ends the launcher by SIGINT as it ended itself', async () => {
    for (const [code, expected] of [
      ['import sys; sys.exit(7)', [7, null]],
      ['import os; os.kill(os.getpid(), 9)', [137, null]],
      ['import os; os.kill(os.getpid(), 15)', [143, null]],
      ['import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)', [null, 'SIGINT']],
    ] as const) {
      const result = await run([scratch.file('ends.py', code)]);
      assert.deepEqual([result.code, result.signal], expected, code);
    }
  });

  test('gets the signals that the launcher gets', async () => {
    const file = scratch.file(
      'catches.py',
      'import os, signal, sys\ndef caught(number, frame):\n  os.write(1, b"%d\\n" % number)\n  if number == 15: sys.exit(3)\n' +
        'for number in (1, 2, 3, 10, 12, 15, 28): signal.signal(number, caught)\nprint("up", flush=True)\nwhile True: signal.pause()',
    );
    const child = startPrisn(['run', file], { env: { PRISN_SOCKET: server.socket } });
    const exited = once(child, 'exit');
    const lines: string[] = [];
    const line = async (): Promise<string> => {
      while (lines.length === 0) await once(child.stdout ?? child, 'data');
      return lines.shift() as string;
    };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')));
    assert.equal(await line(), 'up');
    for (const [signal, number] of [
      ['SIGHUP', '1'],
      ['SIGINT', '2'],
      ['SIGQUIT', '3'],
      ['SIGUSR1', '10'],
      ['SIGUSR2', '12'],
      ['SIGWINCH', '28'],
      ['SIGTERM', '15'],
    ] as const) {
      child.kill(signal);
      assert.equal(await line(), number);
    }
    assert.deepEqual(await exited, [3, null]);
  });

  test('stops with the launcher, and goes on with it', async () => {
    const file = scratch.file('waits.py', 'import time\nprint("up", flush=True)\ntime.sleep(60)');
    const child = startPrisn(['run', file], { env: { PRISN_SOCKET: server.socket } });
    const exited = once(child, 'exit');
    const { pid = 0 } = child;
    await once(child.stdout ?? child, 'data');
    child.kill('SIGTSTP');
    await until('the launcher has stopped', () => stateOf(pid) === 'T');
    child.kill('SIGCONT');
    await until('it goes on', () => said.some(({ signal }) => signal === 18));
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [143, null]);
  });

  test('takes its pipes with it: who reads them waits for nobody else', async () => {
    const file = scratch.file('closes.py', 'import os, time\nos.close(1)\nos.close(2)\ntime.sleep(60)');
    const child = startPrisn(['run', file], { env: { PRISN_SOCKET: server.socket } });
    const exited = once(child, 'exit');
    await once(child.stdout?.resume() ?? child, 'end');
    assert.ok(isAlive(child.pid ?? 0));
    child.kill('SIGTERM');
    await exited;
  });

  test('is run by the Node client when it is refused, and not when its connection breaks in the middle', async () => {
    const refused = await run(['-v', scratch.file('refuses.py', 'print("ran")')]);
    assert.match(refused.stderr, /^prisn: not by the launcher, since it stands in\n/);
    assert.equal(refused.stdout, 'ran\n');
    const dropped = await run([scratch.file('drops.py', 'print("ran")')]);
    assert.deepEqual([dropped.code, dropped.stdout], [125, 'ran\n']);
    assert.match(dropped.stderr, /^prisn: the daemon ended, or broke the connection/);
    answer = ({ file }) => encodeFrame('T', ticketPayload(ticketFor(file, { socket: '@prisn-nowhere' })));
    const nowhere = await run(['-v', scratch.file('nowhere.py', 'print("ran")')]);
    assert.match(nowhere.stderr, /^prisn: not by the launcher, since the fork server does not answer/);
    assert.equal(nowhere.stdout, 'ran\n');
  });

  test('may have an environment and words of megabytes', async () => {
    const file = scratch.file('large.py', 'import os, sys; print(len(os.environ["LARGE"]), len(sys.argv[1]))');
    const result = await run([file, 'x'.repeat(100_000)], { env: { LARGE: 'ü'.repeat(60_000) } });
    assert.deepEqual([result.stdout, result.stderr], ['60000 100000\n', '']);
  });
});

describe('an answer that is none', needsLauncher, () => {
  const file = scratch.file('answers.js', "console.log('ran')");
  const answers: Readonly<Record<string, Buffer>> = {
    'a ticket without an end': encodeFrame('T', '@x\0t\0'),
    'a ticket of another form': encodeFrame('T', '@x\0t\0f\0\0' + '9999999999\0'),
    'a ticket for a socket with a long name': encodeFrame('T', `@${'x'.repeat(500)}\0t\0f\0\0` + '0\0'),
    'a ticket for a socket without a name': encodeFrame('T', '\0t\0f\0\0' + '0\0'),
    'an unknown frame': encodeFrame('E', 'nothing'),
    'a frame of 4 GB': Buffer.from('N\xff\xff\xff\xff', 'latin1'),
    'nothing in words': encodeFrame('N'),
    'words with a format in them': encodeFrame('N', '%s%n%s%n'),
  };
  for (const [what, frame] of Object.entries(answers))
    test(`makes the Node client run the program: ${what}`, async () => {
      answer = () => frame;
      const result = await run([file]);
      assert.deepEqual([result.code, result.stdout, result.stderr], [0, 'ran\n', '']);
      assert.equal(asked.length, 1);
    });
});

test('the launcher serves nobody without the stub', needsLauncher, () => {
  const { status, stderr } = spawnSync(launcher, ['run', 'x.js'], { argv0: 'prisn', encoding: 'utf8' });
  assert.equal(status, 125);
  assert.match(stderr, /^prisn: the launcher is started by bin\/prisn only/);
});
