import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimes } from '../../runtimes/index.ts';
import { readRuntime } from '../../src/model/runtime-schema.ts';

const least = { id: 'awk', command: 'awk', args: ['-f', '{file}', '{args}'] };

/** What is said of this data, a sentence each. */
function said(data: Readonly<Record<string, unknown>>): string[] {
  const read = readRuntime(data);
  return 'problems' in read ? read.problems.map(({ path, message }) => `${path.join('.')}: ${message}`) : [];
}

test('every built-in runtime that is a process passes, and comes out as it went in', () => {
  for (const runtime of runtimes) {
    if (runtime.kind === 'isolate') continue;
    const { kind: _, ...data } = runtime;
    if (runtime.command.length === 0) continue; // the file itself, which no file of a user can be
    assert.deepEqual(readRuntime(data), { runtime }, runtime.id);
  }
});

test('what is left out is filled in', () => {
  assert.deepEqual(readRuntime(least), {
    runtime: {
      id: 'awk',
      name: 'awk',
      kind: 'process',
      aliases: [],
      extensions: [],
      manifests: [],
      shebangs: [],
      command: ['awk'],
      prefixes: [],
      args: ['-f', '{file}', '{args}'],
      env: {},
      install: {},
    },
  });
  const compiled = readRuntime({ id: 'c', command: ['cc', 'gcc'], build: { args: ['-o', '{out}', '{file}'] } });
  assert.ok('runtime' in compiled);
  assert.deepEqual(compiled.runtime.args, ['{args}']);
  assert.deepEqual(compiled.runtime.build, { args: ['-o', '{out}', '{file}'], variables: [] });
});

test('an unknown key is refused with the nearest known one, in tables too', () => {
  assert.deepEqual(said({ ...least, extension: ['.awk'] }), [
    `extension: a runtime has no 'extension'; did you mean extensions?`,
  ]);
  assert.deepEqual(said({ ...least, version: { args: ['-V'], pattern: '(.)', minimun: '1' } }), [
    `version.minimun: version has no 'minimun'; did you mean minimum?`,
  ]);
  assert.match(said({ ...least, colour: 'red' })[0] ?? '', /has no 'colour'; there are id, name, aliases, /);
  assert.match(said({ ...least, toString: 'x' })[0] ?? '', /has no 'toString'/);
});

test('all problems are told at once', () => {
  assert.deepEqual(
    said({ shebangs: 'awk', args: ['{file}'] }).map((problem) => problem.split(' ', 3).join(' ')),
    [': id is', ': command is', 'shebangs: shebangs must', 'args: args must'],
  );
});

test('a value of another form is refused with the form', () => {
  const refused: readonly (readonly [data: Record<string, unknown>, message: RegExp])[] = [
    [{ id: 'A b' }, /^id: id must be a string of up to 32 small letters/],
    [{ name: 3 }, /^name: name must be a string$/],
    [{ aliases: ['a b'] }, /^aliases: aliases must be a list of strings, words for --runtime$/],
    [{ extensions: '.awk' }, /^extensions: extensions must be a list of strings, each with its dot/],
    [{ extensions: ['awk'] }, /each with its dot/],
    [{ extensions: ['.AWK'] }, /in small letters/],
    [{ extensions: ['.tar.gz'] }, /extensions must be/],
    [{ shebangs: ['/usr/bin/awk'] }, /names of interpreters/],
    [{ manifests: [''] }, /names of files/],
    [{ ambiguous: 'yes' }, /true or false/],
    [{ command: [] }, /command must be a string, or a list of strings/],
    [{ command: '' }, /command must be/],
    [{ args: ['-f', '{args}'] }, /^args: args must be a list of strings with \{file\} and \{args\} as an item$/],
    [{ args: ['{file}', 'x{args}'] }, /\{args\} as an item/],
    [{ exec: ['-e', '{args}'] }, /^exec: exec must be a list of strings with \{code\}/],
    [{ stdin: ['-'] }, /^stdin: /],
    [{ env: { A: 1 } }, /^env: env must be a table of strings$/],
    [{ env: ['A'] }, /table of strings/],
    [{ version: 'x' }, /^version: version must be a table with args, pattern, minimum$/],
    [{ version: { args: ['-V'], pattern: 'x' } }, /^version.pattern: .* whose first group is the version$/],
    [{ version: { args: ['-V'], pattern: '(' } }, /^version.pattern: /],
    [{ version: { args: ['-V'], pattern: '(x)', minimum: 'new' } }, /^version.minimum: .*"3.8"/],
    [{ version: { args: ['-V'] } }, /^version: version.pattern is missing: a regular expression/],
    [{ build: { args: ['-o', '{out}'] } }, /^build.args: build.args must be a list of strings with \{file\} and \{out\}$/],
    [{ build: { args: ['{file}', '{out}'], variables: ['A B'] } }, /^build.variables: .*names of variables/],
    [{ fallback: 'bin/awk' }, /^fallback: fallback must be an absolute path$/],
    [{ install: 'apt' }, /^install: install must be a table of strings$/],
    [{ dependencies: {} }, /^dependencies: dependencies.install is missing: a list of strings, a command line$/],
    [{ hello: '' }, /^hello: /],
    [{ kind: 'isolate' }, /has no 'kind'/],
  ];
  for (const [data, message] of refused) {
    const problems = said({ ...least, ...data });
    assert.equal(problems.length, 1, `${JSON.stringify(data)}: ${problems.join('; ')}`);
    assert.match(problems[0] ?? '', message);
  }
});
