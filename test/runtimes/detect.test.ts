import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import { readHead } from '../../runtimes/head.ts';
import { detect, runtimeById, runtimes } from '../../runtimes/index.ts';
import { Scratch } from '../scratch.ts';

const place = { env: { PATH: '/usr/bin:/bin' }, cwd: '/' };

function detector(scratch: Scratch) {
  return (name: string, text: string | Uint8Array, mode = 0o644, forced?: string) => {
    const file = scratch.file(name, text, mode);
    return detect(file, readHead(file), place, { runtime: forced });
  };
}

async function refusal(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof PrisnError && error.code === 'cannot_run', String(error));
    return error.message;
  }
  throw new Error('not refused');
}

function assertUnique(words: readonly string[]): void {
  assert.deepEqual([...new Set(words)], words);
}

test('an extension chooses the runtime, in any case, also of an empty file', async (t) => {
  const of = detector(new Scratch(t));
  const expected = {
    javascript: ['js', 'mjs', 'jsx', 'JS'],
    typescript: ['ts', 'mts', 'tsx'],
    node: ['cjs', 'cts'],
    python3: ['py', 'PY'],
    bash: ['bash'],
    sh: ['sh'],
    ruby: ['rb'],
    perl: ['pl'],
    php: ['php'],
    lua: ['lua'],
    r: ['r', 'R'],
    julia: ['jl'],
    go: ['go'],
    java: ['java'],
  };
  for (const [id, extensions] of Object.entries(expected)) {
    for (const extension of extensions) {
      const detection = await of(`a b.${extension}`, '');
      assert.equal(detection.runtime.id, id, extension);
      assert.equal(detection.how, `extension .${extension.toLowerCase()}`);
    }
  }
});

test('a file without a known extension is run by what its first line names', async (t) => {
  const of = detector(new Scratch(t));
  const cases = [
    ['#!/usr/bin/env python3', 'python3', ['python3', 'python'], []],
    ['#!/usr/bin/env -S python3 -u', 'python3', ['python3', 'python'], ['-u']],
    ['#!/usr/bin/env python3.12', 'python3', ['python3.12', 'python3', 'python'], []],
    ['#!/opt/venv/bin/python', 'python3', ['/opt/venv/bin/python', 'python', 'python3'], []],
    ['#!/bin/bash -e', 'bash', ['/bin/bash', 'bash'], ['-e']],
    ['#!/bin/dash', 'sh', ['/bin/dash', 'dash', 'sh'], []],
    ['#!/usr/bin/env node', 'node', ['node', 'nodejs'], []],
    ['#!/usr/bin/ruby', 'ruby', ['/usr/bin/ruby', 'ruby'], []],
    ['#!/usr/bin/lua5.3', 'lua', ['/usr/bin/lua5.3', 'lua5.3', 'lua', 'lua5.4', 'lua5.1', 'luajit'], []],
    ['#!/usr/bin/perl -w', 'perl', ['/usr/bin/perl', 'perl'], ['-w']],
    ['#!/usr/bin/env Rscript', 'r', ['Rscript'], []],
    ['#!/usr/bin/java --source 17', 'java', ['/usr/bin/java', 'java'], ['--source 17']],
  ] as const;
  for (const [line, id, commands, args] of cases) {
    for (const name of ['tool', 'tool.unknown', '.hidden']) {
      const { runtime, interpreter, how } = await of(name, `${line}\nx`);
      assert.deepEqual([runtime.id, interpreter?.commands, interpreter?.args], [id, commands, args], line);
      assert.equal(how, `#! ${line.slice(2)}`);
    }
  }
});

test('among shells the first line goes before the extension', async (t) => {
  const of = detector(new Scratch(t));
  assert.deepEqual((await of('a.sh', '#!/bin/bash\n')).runtime.id, 'bash');
  assert.deepEqual((await of('a.bash', '#!/bin/sh\n')).runtime.id, 'sh');
  const zsh = await of('a.sh', '#!/bin/zsh -f\n');
  assert.deepEqual([zsh.runtime.id, zsh.interpreter?.commands, zsh.interpreter?.args], ['executable', ['/bin/zsh'], ['-f']]);
});

test('elsewhere the extension goes first, and a first line of the same runtime adds its options and version', async (t) => {
  const of = detector(new Scratch(t));
  assert.deepEqual(await of('a.py', '#!/usr/bin/env python3\n'), { runtime: runtimeById('python3'), how: 'extension .py' });
  assert.deepEqual(await of('a.py', '#!/usr/bin/python\n'), { runtime: runtimeById('python3'), how: 'extension .py' });
  assert.deepEqual((await of('a.py', '#!/usr/bin/python3 -u\n')).interpreter, {
    commands: ['python3', 'python'],
    args: ['-u'],
    env: {},
  });
  assert.deepEqual((await of('a.py', '#!/usr/bin/env python3.9\n')).interpreter?.commands, ['python3.9', 'python3', 'python']);
  assert.deepEqual(await of('a.py', '#!/bin/bash\n'), { runtime: runtimeById('python3'), how: 'extension .py' });
});

test('JavaScript whose first line starts node with options is run by node, else it stays with the isolate', async (t) => {
  const of = detector(new Scratch(t));
  assert.equal((await of('a.js', '#!/usr/bin/env node\n')).runtime.id, 'javascript');
  const { runtime, interpreter } = await of('a.js', '#!/usr/bin/env -S node --expose-gc\n');
  assert.deepEqual([runtime.id, interpreter?.args], ['node', ['--expose-gc']]);
});

test('JavaScript whose first line starts another engine is run by that', async (t) => {
  const of = detector(new Scratch(t));
  const { runtime, interpreter } = await of('a.ts', '#!/usr/bin/env -S deno run --allow-net\n');
  assert.deepEqual([runtime.id, interpreter?.args], ['deno', ['run', '--allow-net']]);
  assert.equal((await of('a.js', '#!/usr/bin/env bun\n')).runtime.id, 'bun');
  assert.equal((await of('a.js', '#!/bin/sh\n')).runtime.id, 'javascript');
});

test('a first line that names none of ours is left to the kernel, or its interpreter is started when the file is not executable', async (t) => {
  const of = detector(new Scratch(t));
  const executable = await of('a.tcl', '#!/usr/bin/tclsh -w\n', 0o755);
  assert.deepEqual([executable.runtime.id, executable.interpreter], ['executable', undefined]);
  const plain = await of('b.tcl', '#!/usr/bin/tclsh -w\n');
  assert.deepEqual(
    [plain.runtime.id, plain.interpreter],
    ['executable', { commands: ['/usr/bin/tclsh'], args: ['-w'], env: {} }],
  );
  for (const name of ['python2', 'python2.7', 'nodemon', 'python3-dbg'])
    assert.equal((await of('c', `#!/usr/bin/${name}\n`)).runtime.id, 'executable', name);
});

test('an executable binary is run as it is', async (t) => {
  const of = detector(new Scratch(t));
  assert.deepEqual(await of('a.out', Buffer.from('7f454c460201', 'hex'), 0o755), {
    runtime: runtimeById('executable'),
    how: 'an executable binary',
  });
  assert.equal((await of('mach', Buffer.from('cffaedfe0700', 'hex'), 0o755)).runtime.id, 'executable');
});

test('a file that nothing claims is refused with all that was looked at and what is installed', async (t) => {
  const scratch = new Scratch(t);
  const of = detector(scratch);
  scratch.script('bin/python3', 'exit 0');
  assert.match(
    await refusal(() => of('a.foo', 'hello')),
    /extension '\.foo'.*no #! line.*not executable.*--runtime \(installed: .*python3, bash, sh/,
  );
  assert.match(await refusal(() => of('a.foo', 'hello', 0o755)), /extension '\.foo'.*executable, but no binary/);
  assert.match(await refusal(() => of('a', Buffer.from('7f454c46', 'hex'))), /not executable/);
  const file = scratch.file('b.foo', '');
  const only = await refusal(() => detect(file, readHead(file), { env: { PATH: scratch.path('bin') }, cwd: '/' }));
  assert.match(only, /installed: javascript, typescript, node, python3\)/, 'no shell is in that PATH; node is always there');
});

test('an executable text without a #! line and without an extension is a script of sh, as for a shell', async (t) => {
  const of = detector(new Scratch(t));
  assert.equal((await of('a', 'echo hello', 0o755)).runtime.id, 'sh');
});

test('a #! line with a path of its own counts also where the extension chose the runtime', async (t) => {
  const of = detector(new Scratch(t));
  assert.deepEqual((await of('a.py', '#!/opt/venv/bin/python3\n')).interpreter?.commands[0], '/opt/venv/bin/python3');
  assert.equal((await of('a.py', '#!/usr/bin/python3\n')).interpreter, undefined);
});

test('a runtime asked for by id or alias decides alone', async (t) => {
  const of = detector(new Scratch(t));
  for (const [word, id] of [
    ['node', 'node'],
    ['js', 'javascript'],
    ['ts', 'typescript'],
    ['python', 'python3'],
    ['py', 'python3'],
    ['sh', 'sh'],
  ] as const)
    assert.deepEqual(await of('a.py', '#!/bin/bash -e\n', 0o755, word), { runtime: runtimeById(id), how: `--runtime ${word}` });
  await assert.rejects(of('a', 'x', 0o644, 'executable'), { code: 'cannot_run', message: /chmod \+x/ });
});

test('an unknown runtime is refused with the nearest name', () => {
  assert.throws(() => runtimeById('pyhton3'), {
    code: 'no_runtime',
    message: /'pyhton3'; did you mean 'python3'\? there are: javascript, /,
  });
  assert.throws(() => runtimeById('nod'), { message: /did you mean 'node'/ });
  assert.throws(
    () => runtimeById('cobol'),
    (error: Error) => !error.message.includes('did you mean') && error.message.includes('there are: '),
  );
});

test('a missing file, a directory and a file below a file are refused', (t) => {
  const scratch = new Scratch(t);
  mkdirSync(scratch.path('d.py'));
  scratch.file('f', '');
  assert.throws(() => readHead(scratch.path('none.py')), { code: 'cannot_run', message: /none\.py' does not exist/ });
  assert.throws(() => readHead(scratch.path('f/x.py')), { code: 'cannot_run', message: /does not exist/ });
  assert.throws(() => readHead(scratch.path('d.py')), { code: 'cannot_run', message: /is a directory/ });
  assert.throws(() => readHead(scratch.path(`${'x'.repeat(300)}.py`)), { code: 'cannot_run', message: /cannot be read/ });
});

test('the head is 256 bytes and the executable bit; a device is left unread', (t) => {
  const scratch = new Scratch(t);
  assert.equal(readHead(scratch.file('long', 'x'.repeat(1000))).bytes.length, 256);
  assert.deepEqual(readHead(scratch.file('x', 'ab', 0o700)), { bytes: new Uint8Array([97, 98]), executable: true });
  assert.equal(readHead('/dev/zero').bytes.length, 0);
});

test('no two runtimes share a word, an extension or a shebang name', () => {
  assertUnique(runtimes.flatMap(({ id, aliases }) => [id, ...aliases]));
  assertUnique(runtimes.flatMap(({ extensions }) => extensions));
  assertUnique(runtimes.flatMap((runtime) => (runtime.kind === 'process' ? runtime.shebangs : [])));
});
