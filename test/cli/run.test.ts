import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { needs, needsOf } from '../machine.ts';
import { prisn, root } from '../prisn.ts';
import { Scratch } from '../scratch.ts';

const scratch = new Scratch();
const folder = scratch.root;
const file = scratch.file.bind(scratch);

describe('prisn run refuses, in one line, what cannot be run', () => {
  before(() => {
    scratch.folder('a-directory');
    file('unreadable.js', '1', 0);
    file('hello.js', "console.log('hello')");
    file('hello.py', "print('hello')");
    file('hello.sh', 'echo hello');
    file('notes.txt', 'just text');
    file('broken.js', 'let a = 1;\nlet b = ;\n');
    file('broken.py', 'a = 1\nb = = 2\n');
  });

  const refusals: readonly [title: string, words: readonly string[], code: number, says: RegExp][] = [
    ['no file', [], 2, /name a file/],
    ['a missing file', ['missing.js'], 126, /'missing\.js' does not exist/],
    ['a directory', ['a-directory'], 126, /'a-directory' is a directory/],
    ['an unknown kind of file', ['notes.txt'], 126, /extension '\.txt'.*--runtime/],
    ['an unknown option', ['--tiemout', '3s', 'hello.js'], 2, /no option --tiemout; did you mean --timeout\?/],
    ['an option without its value', ['--timeout'], 2, /--timeout needs a value: --timeout <duration>/],
    ['a flag with a value', ['--verbose=yes', 'hello.js'], 2, /--verbose takes no value/],
    ['an option given twice', ['--timeout', '1s', '--timeout', '2s', 'hello.js'], 2, /--timeout was given twice/],
    ['a bare number as a duration', ['--timeout', '30', 'hello.js'], 2, /'30' is not a duration.*30s/],
    ['a duration of nothing', ['--timeout', '0s', 'hello.js'], 2, /'0s' is not a duration/],
    ['a duration too long for a timer', ['--timeout', '99d', 'hello.js'], 2, /too long/],
    ['a bad memory size', ['--memory', '256', 'hello.js'], 2, /'256' is not a size.*256mb/],
    ['too little memory', ['--memory', '1mb', 'hello.js'], 2, /out of range/],
    ['no number of cores', ['--cpu', '-1', 'hello.js'], 2, /'-1' is not a number of cores/],
    ['no number of processes', ['--pids', 'many', 'hello.js'], 2, /'many' is not a whole number/],
    ['a variable without =', ['-e', 'NAME', 'hello.js'], 2, /'NAME' is not KEY=VALUE/],
    ['a variable with a bad name', ['-e', '1A=b', 'hello.js'], 2, /'1A=b' is not KEY=VALUE/],
    ['a missing env file', ['--env-file', 'nowhere.env', 'hello.js'], 2, /'nowhere\.env' does not exist/],
    ['a missing work directory', ['--workdir', 'nowhere', 'hello.js'], 2, /'nowhere' is not a directory/],
    ['an unknown runtime', ['--runtime', 'pyton3', 'hello.py'], 127, /no runtime is called 'pyton3'.*'python3'/],
    ['code without a runtime', ['--exec', '1'], 2, /--exec needs --runtime/],
    ['a program on stdin without a runtime', ['-'], 2, /needs --runtime/],
    ['input that is no JSON', ['--input', '{', 'hello.js'], 2, /--input is not JSON/],
    ['input for another language', ['--input', '1', 'hello.py'], 2, /--input.*python3/],
    ['packages of Python for a shell script', ['--with', 'x', 'hello.sh'], 2, /--with and --python are for Python programs/],
    ['a version of Python for what an isolate runs', ['--python', '3.12', 'hello.js'], 2, /--with and --python are for Python/],
  ];
  for (const [title, words, code, says] of refusals) {
    test(title, async () => {
      const result = await prisn(['run', ...words], { cwd: folder });
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, says);
      assert.match(result.stderr, /^prisn: [^\n]+\n$/, 'one line, and it says who speaks');
      assert.equal(result.stdout, '');
    });
  }

  test('a file that may not be read', { skip: process.getuid?.() === 0 && 'root may read every file' }, async () => {
    const result = await prisn(['run', 'unreadable.js'], { cwd: folder });
    assert.equal(result.code, 126);
    assert.match(result.stderr, /^prisn: .*permission denied/);
  });

  test('a runtime that is not installed', async () => {
    const result = await prisn(['run', 'hello.py'], {
      cwd: folder,
      env: { PATH: join(folder, 'a-directory') },
      command: [process.execPath, join(root, 'dist/prisn.cjs')],
    });
    assert.equal(result.code, 127);
    assert.match(result.stderr, /^prisn: python3 or python not found in PATH .*install/);
  });
});

describe('prisn run gives a program', () => {
  const cases: readonly [title: string, name: string, text: string, words: readonly string[], stdout: string][] = [
    [
      'its arguments untouched',
      'args.py',
      'import sys; print(sys.argv[1:])',
      ['-x', '--flag=1', '--', 'a b', ''],
      "['-x', '--flag=1', '--', 'a b', '']\n",
    ],
    [
      'its arguments in an isolate',
      'args.js',
      'console.log(process.argv.slice(2))',
      ['-x', '--', 'a b'],
      "[ '-x', '--', 'a b' ]\n",
    ],
  ];
  for (const [title, name, text, words, stdout] of cases) {
    test(title, needsOf(name), async () => {
      const result = await prisn(['run', '--', file(name, text), ...words]);
      assert.deepEqual([result.code, result.stdout, result.stderr], [0, stdout, '']);
    });
  }

  for (const [name, text] of [
    ['env.py', 'import os; print(os.environ["A"], os.environ["B"], os.environ["C"])'],
    ['env.js', 'console.log(process.env.A, process.env.B, process.env.C)'],
  ] as const) {
    test(`its environment: the caller's, then the file's, then -e (${name})`, needsOf(name), async () => {
      const path = file(name, text);
      const envFile = file('some.env', 'B=file\nC="file"\n');
      const result = await prisn(['run', '--env-file', envFile, '-e', 'C=option=x', path], {
        env: { A: 'caller', B: 'caller', C: 'caller' },
      });
      assert.equal(result.stdout, 'caller file option=x\n');
    });

    test(`none of prisn's own tokens (${name})`, needsOf(name), async () => {
      const show = name.endsWith('py')
        ? 'import os; print(os.environ.get("PRISN_TOKEN"))'
        : 'console.log(process.env.PRISN_TOKEN)';
      const result = await prisn(['run', file(`token-${name}`, show)], { env: { PRISN_TOKEN: 'secret' } });
      assert.doesNotMatch(result.stdout, /secret/);
    });
  }

  test('the directory that was asked for, while its file is found from here', async () => {
    file('where.sh', 'pwd');
    file('where.js', 'console.log(process.cwd())');
    for (const name of ['where.sh', 'where.js']) {
      const result = await prisn(['run', '--workdir', '/usr', name], { cwd: folder });
      assert.equal(result.stdout, '/usr\n', name);
    }
  });

  test('its exit code', async () => {
    assert.equal((await prisn(['run', file('seven.sh', 'exit 7')])).code, 7);
    assert.equal((await prisn(['run', file('eight.js', 'process.exit(8)')])).code, 8);
  });

  test('128 + n when a signal ended it', async () => {
    assert.equal((await prisn(['run', file('killed.sh', 'kill -KILL $$')])).code, 137);
    assert.equal((await prisn(['run', file('segv.sh', 'kill -SEGV $$')])).code, 139);
  });

  for (const [runtime, code, program] of [
    ['python3', 'import sys; print("six", sys.argv[1:])', 'python3'],
    ['bash', 'echo "six [\'$1\']"', 'bash'],
    ['sh', 'echo "six [\'$1\']"', 'sh'],
    ['js', 'console.log("six", process.argv.slice(2))', 'node'],
    ['ts', 'const list: string[] = process.argv.slice(2); console.log("six", list)', 'node'],
    ['node', 'console.log("six", process.argv.slice(-1))', 'node'],
  ] as const) {
    test(`inline code and a program on stdin, with ${runtime}`, needs(program), async () => {
      const inline = await prisn(['run', '--runtime', runtime, '--exec', code, 'one']);
      assert.match(inline.stdout, /^six \[ ?'one' ?\]\n$/, inline.stderr);
      const piped = await prisn(['run', '--runtime', runtime, '-', 'one'], { stdin: code });
      assert.match(piped.stdout, /^six \[ ?'one' ?\]\n$/, piped.stderr);
    });
  }

  test("a hint when one of prisn's options stands after the file, and passes it on", needs('python3'), async () => {
    const path = file('hint.py', 'import sys; print(sys.argv[1:])');
    const result = await prisn(['run', path, '--timeout', '1s']);
    assert.equal(result.stdout, "['--timeout', '1s']\n");
    assert.match(result.stderr, /^prisn: --timeout stands after the file[^\n]*\n$/);
    assert.equal((await prisn(['run', '--', path, '--timeout', '1s'])).stderr, '');
  });
});

describe('prisn run of a default export', () => {
  const twice = file('twice.mjs', 'export default async function ({ n }, ctx) { return { twice: n * 2, args: ctx.args } }');

  test('calls it with --input and prints what it returns as JSON', async () => {
    const result = await prisn(['run', '--input', '{"n":4}', twice, 'x']);
    assert.deepEqual([result.code, result.stdout], [0, '{"twice":8,"args":["x"]}\n'], result.stderr);
  });

  test('calls it with the JSON on stdin', async () => {
    assert.equal((await prisn(['run', twice], { stdin: '{"n":5}' })).stdout, '{"twice":10,"args":[]}\n');
  });

  test('refuses a stdin that is no JSON', async () => {
    const result = await prisn(['run', twice], { stdin: 'n=5' });
    assert.equal(result.code, 2);
    assert.match(result.stderr, /^prisn: standard input is not JSON/);
  });

  test('prints nothing for undefined', async () => {
    assert.equal((await prisn(['run', file('nothing.mjs', 'export default () => {}')])).stdout, '');
  });

  test('fails with its error', async () => {
    const result = await prisn(['run', file('throws.mjs', 'export default () => { throw new RangeError("too far") }')]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /RangeError: too far\n {4}at .*throws\.mjs:1:30/);
  });
});

describe('files with names that look like something else', () => {
  for (const name of ['with space', 'with\nnewline', '-dash', 'quote\'"', 'ünïcode', '$HOME']) {
    for (const [extension, text] of [
      ['.js', 'console.log("ran")'],
      ['.py', 'print("ran")'],
      ['.sh', 'echo ran'],
    ] as const) {
      test(`${JSON.stringify(name + extension)} runs`, needsOf(extension), async () => {
        file(name + extension, text);
        const result = await prisn(['run', '--', name + extension], { cwd: folder });
        assert.deepEqual([result.code, result.stdout, result.stderr], [0, 'ran\n', '']);
      });
    }
  }
});

describe('programs of odd sizes', () => {
  for (const name of ['empty.js', 'empty.ts', 'empty.py', 'empty.sh']) {
    test(`${name} runs and does nothing`, needsOf(name), async () => {
      const result = await prisn(['run', file(name)]);
      assert.deepEqual([result.code, result.stdout, result.stderr], [0, '', '']);
    });
  }

  test('a script of 200 MB runs', async () => {
    const result = await prisn([
      'run',
      file(
        'large.js',
        `${'// 64 bytes of a comment that does nothing but take up its room\n'.repeat(3_300_000)}console.log('end')`,
      ),
    ]);
    assert.deepEqual([result.code, result.stdout], [0, 'end\n'], result.stderr.slice(0, 500));
  });
});

describe("a syntax error is the program's own, with its line", () => {
  test('of JavaScript', async () => {
    const result = await prisn(['run', file('broken.js', 'let a = 1;\nlet b = ;\n')]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /broken\.js:2\nlet b = ;\n {8}\^\n\nSyntaxError: Unexpected token ';'/);
  });

  test('of TypeScript', async () => {
    const result = await prisn(['run', file('broken.ts', 'let a: number = 1;\nlet b: = 2;\n')]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /broken\.ts:2/);
  });

  test('of Python', needs('python3'), async () => {
    const result = await prisn(['run', file('broken.py', 'a = 1\nb = = 2\n')]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /line 2/);
  });
});
