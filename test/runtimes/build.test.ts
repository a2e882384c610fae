import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { prisn, type Result, type RunOptions, startPrisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';

/**
 * A language whose compiler makes a shell script of a shell script: it writes down that it was called, sources files that are
 * named in lines `use FILE`, and fails where it is told to.
 */
class Compiled {
  readonly scratch: Scratch;
  readonly #env: NodeJS.ProcessEnv;

  constructor(owner: ConstructorParameters<typeof Scratch>[0], { inputs = true } = {}) {
    this.scratch = new Scratch(owner);
    this.scratch.script(
      'bin/shc',
      `if [ "$1" = list ]; then sed -n 's/^use //p' "$2"; exit; fi
echo built >> ${this.scratch.path('built')}
grep -q '^slow' "$2" && { echo building >&2; sleep 60; }
grep -q '^error' "$2" && { echo "$2:1: this is an error"; exit 9; }
cat
{ echo '#!/bin/sh'; echo "FLAG=$SHC_FLAG"; sed -n 's/^use //p' "$2" | xargs -r cat; grep -v '^use ' "$2"; } > "$1"; chmod +x "$1"`,
    );
    this.scratch.file(
      'home/runtimes/shc.toml',
      `id = "shc"
extensions = [".shc"]
manifests = ["shc.lock"]
command = "shc"
[build]
args = ["{out}", "{file}"]
variables = ["SHC_FLAG"]
${inputs ? 'inputs = ["list", "{file}"]' : ''}
`,
    );
    this.#env = { PATH: `${this.scratch.path('bin')}:/usr/bin:/bin`, PRISN_HOME: this.scratch.path('home') };
  }

  run(words: readonly string[], { env, ...options }: RunOptions = {}): Promise<Result> {
    return prisn(['run', ...words], { cwd: this.scratch.root, ...options, env: { ...this.#env, ...env } });
  }

  start(words: readonly string[]): ReturnType<typeof startPrisn> {
    return startPrisn(['run', ...words], { cwd: this.scratch.root, env: this.#env });
  }

  /** How often the compiler has built since it was asked last. */
  built(): number {
    const lines = this.scratch.log('built').length;
    this.scratch.file('built');
    return lines;
  }

  /** Names in the folder of all that was built. */
  kept(...below: readonly string[]): string[] {
    return readdirSync(this.scratch.path(join('home/cache/builds', ...below)));
  }
}

describe('a program of a compiled language', { concurrency: true }, () => {
  test('is built once, with its arguments, stdin and exit code its own', async (t) => {
    const language = new Compiled(t);
    language.scratch.file('a.shc', 'read line; echo "$line $*"; exit 5\n');
    for (const builds of [1, 0]) {
      const { code, stdout, stderr } = await language.run(['a.shc', 'x y', '--', '-h'], { stdin: 'in\n' });
      assert.deepEqual([code, stdout, stderr, language.built()], [5, 'in x y -- -h\n', '', builds]);
    }
  });

  test('is known by its content, wherever it lies', async (t) => {
    const language = new Compiled(t);
    language.scratch.file('a.shc', 'echo one\n');
    await language.run(['a.shc']);
    language.scratch.file('b/a.shc', 'echo one\n');
    assert.equal((await language.run(['b/a.shc'])).stdout, 'one\n');
    assert.equal(language.built(), 1);
    language.scratch.file('a.shc', 'echo two\n');
    assert.equal((await language.run(['a.shc'])).stdout, 'two\n');
    language.scratch.file('a.shc', 'echo one\n');
    assert.equal((await language.run(['a.shc'])).stdout, 'one\n');
    assert.equal(language.built(), 1, 'the first is still there');
  });

  test('is built anew when a file that it uses, a manifest, a variable or the compiler changes', async (t) => {
    const language = new Compiled(t);
    const { scratch } = language;
    const out = async (env = {}) => (await language.run(['b/a.shc'], { env })).stdout;
    scratch.file('b/a.shc', 'use one.sh\necho $FLAG $ONE\n');
    scratch.file('b/one.sh', 'ONE=1\n');
    assert.deepEqual([await out(), await out(), language.built()], ['1\n', '1\n', 1]);
    scratch.file('b/one.sh', 'ONE=2\n');
    assert.deepEqual([await out(), await out(), language.built()], ['2\n', '2\n', 1]);
    scratch.file('b/one.sh', 'ONE=1\n');
    assert.deepEqual([await out(), language.built()], ['1\n', 0], 'that one is still there');
    scratch.file('shc.lock', 'x');
    assert.deepEqual([await out(), await out(), language.built()], ['1\n', '1\n', 1]);
    assert.deepEqual([await out({ SHC_FLAG: 'f' }), await out({ SHC_FLAG: 'f' }), language.built()], ['f 1\n', 'f 1\n', 1]);
    writeFileSync(scratch.path('bin/shc'), `${readFileSync(scratch.path('bin/shc'), 'utf8')}\n# newer\n`);
    assert.deepEqual([await out(), language.built()], ['1\n', 1]);
  });

  test('counts a new file in a folder that it uses, and is never kept where what it uses cannot be read again', async (t) => {
    const language = new Compiled(t);
    const { scratch } = language;
    scratch.script('bin/xargs', 'exit 0');
    scratch.file('b/part/x');
    scratch.file('a.shc', 'use b\necho hello\n');
    for (const builds of [1, 0])
      assert.deepEqual([(await language.run(['a.shc'])).stdout, language.built()], ['hello\n', builds]);
    scratch.file('b/part/y');
    for (const builds of [1, 0])
      assert.deepEqual([(await language.run(['a.shc'])).stdout, language.built()], ['hello\n', builds]);
    scratch.file('a.shc', 'use b/*.none\necho hello\n');
    for (const builds of [1, 1])
      assert.deepEqual([(await language.run(['a.shc'])).stdout, language.built()], ['hello\n', builds]);
  });

  test('that cannot be built ends with the exit code and the words of the compiler, which go to stderr', async (t) => {
    const language = new Compiled(t);
    language.scratch.file('a.shc', 'error\n');
    const { code, stdout, stderr } = await language.run(['a.shc']);
    assert.deepEqual([code, stdout, stderr], [9, '', 'a.shc:1: this is an error\n']);
    language.scratch.file('a.shc', 'echo good\n');
    assert.equal((await language.run(['a.shc'])).stdout, 'good\n');
  });

  test('may be built by two at once', async (t) => {
    const language = new Compiled(t);
    language.scratch.file('a.shc', 'echo hello\n');
    const both = await Promise.all([language.run(['a.shc']), language.run(['a.shc'])]);
    assert.deepEqual(
      both.map(({ code, stdout }) => [code, stdout]),
      [
        [0, 'hello\n'],
        [0, 'hello\n'],
      ],
    );
    language.built();
    assert.deepEqual([(await language.run(['a.shc'])).stdout, language.built()], ['hello\n', 0]);
  });

  test('that is killed while it is built leaves nothing that is taken for good', async (t) => {
    const language = new Compiled(t);
    language.scratch.file('a.shc', 'slow\n');
    const child = language.start(['a.shc']);
    await once(child.stderr as NodeJS.ReadableStream, 'data');
    child.kill('SIGTERM');
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    assert.ok(code === 143 || signal === 'SIGTERM', `${code} ${signal}`);
    const [key = ''] = language.kept();
    assert.deepEqual(
      language.kept(key).filter((name) => name.endsWith('.json')),
      [],
    );
  });

  test('is built within the limits of its run', async (t) => {
    const language = new Compiled(t);
    language.scratch.file('a.shc', 'slow\n');
    const { code, stderr } = await language.run(['--timeout', '1s', 'a.shc']);
    assert.equal(code, 124);
    assert.match(stderr, /^building\n.*1s/s);
  });

  test('keeps the variables of node from its builder and has them itself', async (t) => {
    const language = new Compiled(t);
    language.scratch.file('a.shc', 'echo "$NODE_OPTIONS"\n');
    const { stdout, stderr } = await language.run(['-e', 'NODE_OPTIONS=--no-such-option', 'a.shc']);
    assert.deepEqual([stdout, stderr], ['--no-such-option\n', '']);
  });

  test('is refused where nothing can be kept, with what to do', async (t) => {
    const language = new Compiled(t);
    language.scratch.file('a.shc', 'echo hello\n');
    language.scratch.file('home/cache');
    const { code, stderr } = await language.run(['a.shc']);
    assert.equal(code, 125);
    assert.match(stderr, /cannot build in .*; set PRISN_HOME/);
  });

  test('goes when it was not run for long and others need the place', async (t) => {
    const language = new Compiled(t, { inputs: false });
    language.scratch.file('a.shc', 'echo hello\n');
    await language.run(['a.shc']);
    const [first = ''] = language.kept();
    const old = new Date(Date.now() - 3_600_000);
    for (let i = 0; i < 64; i++) {
      const folder = language.scratch.folder(`home/cache/builds/other-${i}`);
      utimesSync(folder, old, old);
    }
    language.scratch.file('b.shc', 'echo hello\n');
    await language.run(['b.shc']);
    assert.equal(language.kept().length, 64);
    assert.ok(language.kept().includes(first));
    assert.equal((await language.run(['a.shc'])).stdout, 'hello\n');
    assert.equal(language.built(), 2);
  });

  test('that is no file is refused', async (t) => {
    const language = new Compiled(t);
    const { code, stderr } = await language.run(['--runtime', 'shc', '/dev/null']);
    assert.equal(code, 126);
    assert.match(stderr, /'\/dev\/null' cannot be built: shc is compiled from regular files/);
  });
});
