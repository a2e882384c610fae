import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { stateOf } from '../../runtimes/kept-file.ts';
import { runtimes } from '../../runtimes/index.ts';
import { ownRuntimes, readRuntimeFile } from '../../runtimes/own.ts';
import { needs } from '../machine.ts';
import { prisn, root } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const tomls: Readonly<Record<string, string>> = {
  awk: `id = "awk"
extensions = [".awk"]
shebangs = ["awk", "mawk"]
command = "awk"
args = ["-f", "{file}", "--", "{args}"]
hello = 'BEGIN { print "hello" }'
`,
  make: `id = "make"
extensions = [".mk"]
shebangs = ["make"]
command = ["make", "gmake"]
args = ["-s", "-f", "{file}", "{args}"]
hello = "all: ; @echo hello"

[version]
args = ["--version"]
pattern = 'Make (\\d+\\.\\d+)'
`,
  c: `id = "c"
name = "C"
extensions = [".c"]
command = ["cc", "gcc"]
hello = '''
#include <stdio.h>
int main(void) { return puts("hello") < 0; }
'''

[build]
args = ["-o", "{out}", "{file}"]
inputs = ["-MM", "{file}"]
variables = ["CPATH"]
`,
};

interface Program {
  readonly file: string;
  /** Prints its first argument and the first line of stdin, and ends with 3, or what its language makes of that. */
  readonly text: string;
  readonly argument: string;
  readonly code: number;
  readonly broken: string;
  readonly complaint: RegExp;
}

const programs: Readonly<Record<string, Program>> = {
  awk: {
    file: 'a.awk',
    text: 'BEGIN { word = ARGV[1]; ARGC = 1; getline; print word; print; exit 3 }',
    argument: '-h',
    code: 3,
    broken: 'BEGIN { print (1 }',
    complaint: /line 1/,
  },
  make: {
    file: 'a.mk',
    text: 'all: ; @echo $(X); head -n 1; exit 3\n',
    argument: 'X=-h',
    code: 2,
    broken: 'all\n',
    complaint: /a\.mk:1: \*\*\* missing separator/,
  },
  c: {
    file: 'a.c',
    text: `#include <stdio.h>
int main(int count, char **words) {
  char line[80];
  puts(words[1]);
  fputs(fgets(line, 80, stdin), stdout);
  return 3;
}
`,
    argument: '-h',
    code: 3,
    broken: 'int main(void) { return 3 }\n',
    complaint: /a\.c:1:\d+: error: expected/,
  },
};

const tools = needs('awk', 'make', 'cc');

/** A PRISN_HOME with these files in `runtimes`. */
function homeWith(scratch: Scratch, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) scratch.file(`home/runtimes/${name}.toml`, text);
  return scratch.folder('home');
}

/** The problems of a file, each without the path. */
async function problemsOf(scratch: Scratch, text: string): Promise<string[]> {
  const file = scratch.file('x.toml', text);
  const read = await readRuntimeFile(file, runtimes);
  return 'problems' in read ? read.problems.map((problem) => problem.replace(file, '')) : [];
}

test('each problem names the line on which it stands', async (t) => {
  const scratch = new Scratch(t);
  const head = 'id = "x"\ncommand = "x"\n\n# args\nargs = [\n  "{file}", # the file\n  "{args}",\n]\n';
  assert.deepEqual(await problemsOf(scratch, head), []);
  const cases: readonly (readonly [string, RegExp])[] = [
    [`${head}extensions = ".x"\n`, /^:9: extensions must be a list of strings/],
    [`extensions = [".x",\n  3]\n${head}`, /^:1: extensions must be a list of strings/],
    [`${head}\r\nshebang = ["x"]\r\n`, /^:10: a runtime has no 'shebang'; did you mean shebangs\?$/],
    [
      `${head}[version]\nargs = ["-V"]\n\npatern = "(x)"\npattern = "(x)"\n`,
      /^:12: version has no 'patern'; did you mean pattern\?$/,
    ],
    [`${head}version.args = ["-V"]\nversion.pattern = "("\n`, /^:10: version.pattern must be a regular expression/],
    [`${head}[version]\nargs = ["-V"]\n`, /^:9: version.pattern is missing/],
    [head.replace('command', '# command'), /^: command is missing: a string, or a list of strings/],
    [`${head}hello = """\n[version]\n"""\nname = 7\n`, /^:12: name must be a string$/],
    [`${head}name = x\n`, /^:9: /],
    [`${head}id = "y"\n`, /^:9: /],
  ];
  for (const [text, expected] of cases) {
    const problems = await problemsOf(scratch, text);
    assert.equal(problems.length, 1, `${text}${problems.join('\n')}`);
    assert.match(problems[0] ?? '', expected);
  }
  const several = await problemsOf(scratch, 'name = 1\nid = 2\n');
  assert.deepEqual(
    several.map((problem) => problem.split(' ', 2).join(' ')),
    [': command', ': args', ':1: name', ':2: id'],
  );
});

test('what a built-in runtime or an earlier file claims is refused', async (t) => {
  const scratch = new Scratch(t);
  const rest = 'command = "x"\nargs = ["{file}", "{args}"]\n';
  assert.deepEqual(await problemsOf(scratch, `id = "python3"\n${rest}`), [
    ":1: id: 'python3' belongs to the runtime python3; take another",
  ]);
  assert.deepEqual(await problemsOf(scratch, `id = "x"\naliases = ["py"]\n${rest}`), [
    ":2: aliases: 'py' belongs to the runtime python3; take another",
  ]);
  assert.deepEqual(await problemsOf(scratch, `id = "x"\n${rest}extensions = [".x", ".py"]\nshebangs = ["node"]\n`), [
    ":4: extensions: '.py' belongs to the runtime python3; leave it out, and name this one: --runtime x",
    ":5: shebangs: 'node' belongs to the runtime node; leave it out, and name this one: --runtime x",
  ]);
  const home = homeWith(scratch, { a: `id = "x"\nextensions = [".x"]\n${rest}`, b: `id = "y"\nextensions = [".x"]\n${rest}` });
  const { runtimes: own, problems } = await ownRuntimes(home, runtimes);
  assert.deepEqual(
    own.map(({ id }) => id),
    ['x'],
  );
  assert.match(problems.join('\n'), /\/b\.toml:2: extensions: '\.x' belongs to the runtime x/);
});

test('without a folder there are none, and what is no file of a runtime is left alone', async (t) => {
  const scratch = new Scratch(t);
  assert.deepEqual(await ownRuntimes(scratch.path('none'), runtimes), { runtimes: [], problems: [] });
  const home = homeWith(scratch, { awk: tomls['awk'] as string });
  scratch.file('home/runtimes/README.md', 'x');
  scratch.file('home/runtimes/.#awk.toml', 'x');
  scratch.folder('home/runtimes/folder.toml');
  const { runtimes: own, problems } = await ownRuntimes(home, runtimes);
  assert.deepEqual(
    own.map(({ id }) => id),
    ['awk'],
  );
  assert.match(problems.join('\n'), /^\S+\/folder\.toml: EISDIR[^\n]*$/);
});

test('what was read is kept until a file changes, comes or goes', async (t) => {
  const scratch = new Scratch(t);
  const home = homeWith(scratch, { awk: tomls['awk'] as string });
  const kept = scratch.path('home/cache/interpreters.json');
  for (const path of ['', '/awk.toml']) while (!stateOf(scratch.path(`home/runtimes${path}`))?.isSettled) await pause(50);
  const ids = async () => (await ownRuntimes(home, runtimes)).runtimes.map(({ id }) => id);
  assert.deepEqual(await ids(), ['awk']);
  writeFileSync(kept, readFileSync(kept, 'utf8').replaceAll('\\"id\\":\\"awk\\"', '\\"id\\":\\"kept\\"'));
  assert.deepEqual(await ids(), ['kept']);
  scratch.file('home/runtimes/make.toml', tomls['make']);
  assert.deepEqual(await ids(), ['awk', 'make']);
  scratch.file('home/runtimes/awk.toml', (tomls['awk'] as string).replaceAll('"awk"', '"gawk"'));
  assert.deepEqual(await ids(), ['gawk', 'make']);
});

test('a run of a built-in language loads no parser of TOML, whatever is in the folder', tools, async (t) => {
  const scratch = new Scratch(t);
  const home = homeWith(scratch, { ...tomls, broken: 'x' });
  const spy = scratch.file(
    'spy.cjs',
    `const module_ = require('node:module');
const load = module_._load;
module_._load = (name, ...rest) => {
  if (name === 'smol-toml') require('node:fs').appendFileSync(${JSON.stringify(scratch.path('loads'))}, 'loaded\\n');
  return load(name, ...rest);
};`,
  );
  scratch.file('a.js', 'console.log("hello")');
  scratch.file('a.sh', 'echo hello');
  scratch.file('b', '#!/bin/sh\necho hello');
  scratch.file('a.awk', 'BEGIN { print "hello" }');
  const command = [process.execPath, '--require', spy, join(root, 'dist/prisn.cjs')] as const;
  const run = (name: string) => prisn(['run', name], { cwd: scratch.root, env: { PRISN_HOME: home }, command });
  for (const name of ['a.js', 'a.sh', 'b']) {
    const { stdout, stderr } = await run(name);
    assert.deepEqual([stdout, stderr], ['hello\n', ''], name);
  }
  assert.deepEqual(scratch.log('loads'), []);
  assert.equal((await run('a.awk')).stdout, 'hello\n');
  assert.deepEqual(scratch.log('loads'), ['loaded']);
});

test('three runtimes of a user run files with arguments, stdin and exit code, and tell mistakes', tools, async (t) => {
  const scratch = new Scratch(t);
  const env = { PRISN_HOME: homeWith(scratch, tomls) };
  for (const [id, { file, text, argument, code, broken, complaint }] of Object.entries(programs)) {
    scratch.file(file, text);
    const ran = await prisn(['run', file, argument], { cwd: scratch.root, env, stdin: 'a line\n' });
    assert.deepEqual([ran.code, ran.stdout], [code, '-h\na line\n'], `${id}: ${ran.stderr}`);
    scratch.file(file, broken);
    const failed = await prisn(['run', file], { cwd: scratch.root, env });
    assert.ok([1, 2].includes(failed.code ?? 0), `${id}: ${failed.code}`);
    assert.match(failed.stderr, complaint, id);
    const checked = await prisn(['runtime', 'check', scratch.path(`home/runtimes/${id}.toml`)], { env });
    assert.match(checked.stdout, new RegExp(`^${id}: ok(, version [\\d.]+)?, says hello \\(/`), checked.stderr);
  }
  scratch.file('tool', '#!/usr/bin/awk -f\nBEGIN { print ARGV[1] }\n');
  assert.equal((await prisn(['run', 'tool', 'x'], { cwd: scratch.root, env })).stdout, 'x\n');
  const detected = await prisn(['runtime', 'detect', 'a.awk'], { cwd: scratch.root, env });
  assert.equal(detected.stdout, 'awk (extension .awk)\n');
});

test('a server takes them from its own home, for jobs, code by HTTP and its list', tools, async (t) => {
  const scratch = new Scratch(t);
  const home = homeWith(scratch, { ...tomls, bad: 'id = "bad"\n' });
  const server = await Server.start(t, { home });
  for (const [id, { file, text, argument, code }] of Object.entries(programs)) {
    const path = scratch.file(file, text);
    const deployed = await server.prisn(['deploy', path, '--name', `job-${id}`]);
    assert.match(deployed.stdout, new RegExp(`job-${id}: created \\(job, ${id}\\)`), deployed.stderr);
    const asked = { deployment_id: `job-${id}`, args: [argument], stdin: 'a line\n', wait: true };
    const job = (await server.request('POST', '/api/v1/executions', asked)).body;
    assert.deepEqual(pick(job), { exit_code: code, stdout: '-h\na line\n', runtime: id });
    const given = { source: text, runtime: id, args: [argument], stdin: 'a line\n', wait: true };
    assert.deepEqual(pick((await server.request('POST', '/api/v1/executions', given)).body), pick(job));
    // A daemon is alive here, so this comes by the launcher where one was built, which leaves it to the ordinary client.
    const ran = await server.prisn(['run', path, argument], { stdin: 'a line\n' });
    assert.deepEqual([ran.code, ran.stdout], [code, '-h\na line\n'], ran.stderr);
  }
  const { items } = (await server.request('GET', '/api/v1/runtimes')).body as { items: { id: string; status: string }[] };
  assert.deepEqual(
    items.slice(runtimes.length).map(({ id, status }) => [id, status]),
    [
      ['awk', 'ok'],
      ['c', 'ok'],
      ['make', 'ok'],
    ],
  );
});

test('a program for a runtime that only the server has is deployed by its name', tools, async (t) => {
  const scratch = new Scratch(t);
  const server = await Server.start(t, { home: homeWith(scratch, tomls) });
  const env = { PRISN_HOME: scratch.folder('other'), PRISN_SERVER: server.url };
  const file = scratch.file('a.awk', 'BEGIN { print "there" }');
  const deployed = await prisn(['deploy', file, '--name', 'far', '--runtime', 'awk'], { env });
  assert.equal(deployed.code, 0, deployed.stderr);
  assert.equal((await prisn(['trigger', 'far', '--wait'], { env })).stdout, 'there\n');
  const detached = await prisn(['run', '--detach', '--runtime', 'awk', '--exec', 'BEGIN { print "text" }'], { env });
  assert.equal((await prisn(['logs', '-f', detached.stdout.trim()], { env })).stdout, 'text\n', detached.stderr);
});

test('a bad file breaks nothing else, and is told of where it may matter', async (t) => {
  const scratch = new Scratch(t);
  const home = homeWith(scratch, { bad: 'id = "bad"\nextensions = ".foo"\n', worse: 'x', awk: tomls['awk'] as string });
  const env = { PRISN_HOME: home };
  const options = { cwd: scratch.root, env };
  scratch.file('a.sh', 'echo hello');
  scratch.file('a.foo', '');
  const ran = await prisn(['run', 'a.sh'], options);
  assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, 'hello\n', '']);
  const refused = await prisn(['run', 'a.foo'], options);
  assert.equal(refused.code, 126);
  assert.match(
    refused.stderr,
    /no runtime has the extension '\.foo'.*; left out: \S+\/bad\.toml: command is missing.* \(and \d more: prisn runtime list\)\n$/,
  );
  const named = await prisn(['run', '--runtime', 'bad', 'a.foo'], options);
  assert.equal(named.code, 127);
  assert.match(named.stderr, /no runtime is called 'bad'; there are: .*awk; left out: /);
  const listed = await prisn(['runtime', 'list'], options);
  assert.equal(listed.code, 0);
  assert.match(listed.stdout, /^awk +ok +\.awk +\/.*awk$/m);
  assert.match(listed.stderr, /^prisn: \S+\/bad\.toml:2: extensions must be a list of strings/m);
  assert.match(listed.stderr, /^prisn: \S+\/worse\.toml:1: /m);
  const doctor = await prisn(['doctor'], options);
  assert.match(doctor.stdout, /^ {2}no +your own +\S+\/bad\.toml:2: extensions/m);
  const checked = await prisn(['runtime', 'check', join(home, 'runtimes/bad.toml')], options);
  assert.equal(checked.code, 2);
  assert.match(checked.stderr, /bad\.toml: command is missing.*\n.*bad\.toml: args is missing.*\n.*bad\.toml:2: extensions/);
});

test('a check tells what is not installed, and a hello that says something else', async (t) => {
  const scratch = new Scratch(t);
  const rest = 'args = ["{file}", "{args}"]\n';
  const absent = scratch.file('absent.toml', `id = "absent"\ncommand = "no-such-command"\n${rest}[install]\nother = "get it"\n`);
  const missing = await prisn(['runtime', 'check', absent]);
  assert.equal(missing.code, 127);
  assert.match(missing.stderr, /absent: missing; no-such-command not found in PATH .*; to install it: get it\n$/);
  const odd = scratch.file('odd.toml', `id = "odd"\ncommand = "sh"\nhello = "echo goodbye; exit 4"\n${rest}`);
  const failed = await prisn(['runtime', 'check', odd]);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /odd: its hello should print hello and end with 0, but ended with 4 and printed: goodbye\n$/);
});

function pick(execution: unknown): object {
  const { exit_code, stdout, runtime } = execution as Record<string, unknown>;
  return { exit_code, stdout, runtime };
}
