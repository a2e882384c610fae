/**
 * What a file brings along is enough: each tree is run where it stands and then once more from a copy of the brought
 * files alone, in another place, and says the same.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { bringsAlong, type Brought } from '../../runtimes/brings.ts';
import { PrisnError } from '../../src/base/error.ts';
import { needs } from '../machine.ts';
import { environment, prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';

/** Files by their path below the tree's top. */
type Tree = Readonly<Record<string, string>>;

interface Case {
  readonly files: Tree;
  readonly main: string;
  /** What comes along, beside the main file. */
  readonly brings: readonly string[];
  readonly stdout: string;
  /** Each fits one note, in this order. */
  readonly notes?: readonly RegExp[];
}

const javascript: Readonly<Record<string, Case>> = {
  'a script alone, with the manifests around it': {
    main: 'app/main.js',
    files: {
      '.git/HEAD': '',
      'package.json': '{"type":"commonjs"}',
      'package-lock.json': '{}',
      'app/main.js': "console.log('alone')",
      'app/other.js': '',
    },
    brings: ['package.json', 'package-lock.json'],
    stdout: 'alone\n',
  },
  'modules that import one another, JSON, and what import() names': {
    main: 'main.mjs',
    files: {
      'main.mjs':
        "import { a } from './lib/a.mjs'; import data from './data.json' with { type: 'json' }; console.log(a, data.n, (await import('./late.mjs')).late)",
      'lib/a.mjs': "export { b as a } from '../b.mjs'",
      'b.mjs': "export const b = 'b'",
      'data.json': '{"n":1}',
      'late.mjs': "export const late = 'late'",
      'unused.mjs': '',
    },
    brings: ['b.mjs', 'data.json', 'late.mjs', 'lib/a.mjs'],
    stdout: 'b 1 late\n',
  },
  'what a program for node requires: files, folders, JSON, also inside of functions': {
    main: 'main.js',
    files: {
      'main.js':
        "const fs = require('fs'); const x = require('./x'); function f() { return require('./folder').f + require(`./data`).n } console.log(x, f(), require('./pkg'), require.resolve('./named.js').endsWith('named.js'))",
      'x.js': "module.exports = 'x'",
      'folder/index.js': "exports.f = require('../y.js').y; if (process.argv[9]) require(process.argv[9])",
      'y.js': "exports.y = 'y'",
      'data.json': '{"n":1}',
      'pkg/package.json': '{"main":"lib/start"}',
      'pkg/lib/start.js': "module.exports = 'start'",
      'named.js': '',
    },
    brings: ['data.json', 'folder/index.js', 'named.js', 'pkg/lib/start.js', 'pkg/package.json', 'x.js', 'y.js'],
    stdout: 'x y1 start true\n',
    notes: [/^folder\/index\.js imports what only its run can tell/],
  },
  'a module for node, with a require of its own making and files opened beside it': {
    main: 'main.mjs',
    files: {
      'main.mjs':
        "import { readFileSync } from 'node:fs'; import { createRequire } from 'node:module'; const load = createRequire(import.meta.url); console.log(load('./old.cjs'), readFileSync(new URL('./text.txt', import.meta.url), 'utf8'))",
      'old.cjs': "module.exports = 'old'",
      'text.txt': 'text',
    },
    brings: ['old.cjs', 'text.txt'],
    stdout: 'old text\n',
  },
  'TypeScript with its tsconfig.json, paths, and names without extension': {
    main: 'src/main.ts',
    files: {
      'tsconfig.json': '{ "extends": "./base.json", "compilerOptions": { "paths": { "@/*": ["./src/lib/*"] } } }',
      'base.json': '{}',
      'src/main.ts':
        "import type { T } from './types'; import { a } from '@/a'; import { b } from './b.js'; enum E { One = 1 } const t: T = 't'; console.log(a, b, E.One, t)",
      'src/types.ts': 'export type T = string',
      'src/lib/a.ts': "export const a = 'a'",
      'src/b.ts': "export const b: string = 'b'",
    },
    brings: ['base.json', 'src/b.ts', 'src/lib/a.ts', 'tsconfig.json'],
    stdout: 'a b 1 t\n',
  },
  'the internal imports and the own name of a package': {
    main: 'main.mjs',
    files: {
      'package.json':
        '{"name":"mine","imports":{"#inner/*":{"node":"./inner/*.mjs"}},"exports":{".":"./index.mjs","./sub":"./sub.mjs"}}',
      'main.mjs': "import { x } from '#inner/x'; import { i } from 'mine'; import { s } from 'mine/sub'; console.log(x, i, s)",
      'inner/x.mjs': "export const x = 'x'",
      'index.mjs': "export const i = 'i'",
      'sub.mjs': "export const s = 's'",
    },
    brings: ['index.mjs', 'inner/x.mjs', 'package.json', 'sub.mjs'],
    stdout: 'x i s\n',
  },
  'names in strings and comments are no imports': {
    main: 'main.js',
    files: {
      'main.js': "// require('./a')\nconsole.log('require(\"./b\")') // import './c.js'",
      'a.js': '',
      'b.js': '',
      'c.js': '',
    },
    brings: [],
    stdout: 'require("./b")\n',
  },
};

const python: Readonly<Record<string, Case>> = {
  'modules in every form of the statement, nested and conditional': {
    main: 'main.py',
    files: {
      'main.py': [
        'import os, a as first',
        'from b import (',
        '    one, # a comment',
        '    two as second,',
        ')',
        'import c.d; from e import x',
        'def f():',
        '    if True: import late',
        '    return late.value',
        'try:',
        '    import missing_one',
        'except ImportError:',
        '    from fallback import value',
        'import importlib',
        "named = importlib.import_module('named')",
        'print(first.value, one, second, c.d.value, x, f(), value, named.value)',
      ].join('\n'),
      'a.py': "value = 'a'",
      'b.py': 'one, two = 1, 2',
      'c/d.py': "value = 'namespace'",
      'e/__init__.py': 'from .inner import x',
      'e/inner.py': 'from . import deep\nx = deep.x',
      'e/deep.py': 'import sibling\nx = sibling.x',
      'sibling.py': "x = 'sibling'",
      'late.py': "value = 'late'",
      'fallback.py': "value = 'fallback'",
      'named.py': "value = 'named'",
      'unused.py': '',
    },
    brings: [
      'a.py',
      'b.py',
      'c/d.py',
      'e/__init__.py',
      'e/deep.py',
      'e/inner.py',
      'fallback.py',
      'late.py',
      'named.py',
      'sibling.py',
    ],
    stdout: 'a 1 2 namespace sibling late fallback named\n',
  },
  'what strings, comments and f-strings say is no import': {
    main: 'main.py',
    files: {
      'main.py': [
        "'''",
        'import a',
        "'''",
        '# import b',
        's = "x\\',
        'import c"',
        "t = r'\\''; u = f\"{s[0]!r:'>5}{{\"",
        'w = f"{(lambda: 1)():>{2}} import d"',
        "x = {'k':",
        ' 1}; import real',
        'print(real.value)',
      ].join('\n'),
      'a.py': '',
      'b.py': '',
      'c.py': '',
      'd.py': '',
      'real.py': "value = 'real'",
    },
    brings: ['real.py'],
    stdout: 'real\n',
  },
  'folders that the code adds to sys.path': {
    main: 'bin/main.py',
    files: {
      '.git/HEAD': '',
      'bin/main.py': [
        'import os, sys',
        'ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))',
        "sys.path.insert(0, os.path.join(ROOT, 'lib'))",
        'from pathlib import Path',
        "sys.path.append(str(Path(__file__).resolve().parent.parent / 'more'))",
        'import one, two',
        'print(one.value, two.value)',
      ].join('\n'),
      'lib/one.py': "value = 'one'",
      'more/two.py': "value = 'two'",
    },
    brings: ['lib/one.py', 'more/two.py'],
    stdout: 'one two\n',
  },
  'the nearest manifests, and the requirements that they name': {
    main: 'jobs/main.py',
    files: {
      '.git/HEAD': '',
      'requirements.txt': 'requests==2\n-r more/others.txt\n',
      'more/others.txt': '',
      'jobs/pyproject.toml': '',
      'pyproject.toml': '',
      'uv.lock': '',
      'jobs/main.py': "print('ok')",
    },
    brings: ['jobs/pyproject.toml', 'more/others.txt', 'requirements.txt', 'uv.lock'],
    stdout: 'ok\n',
  },
  'data of a package and imports by a computed name are noted': {
    main: 'main.py',
    files: {
      'main.py': "import pkg, importlib\nprint(importlib.import_module('js' + 'on').dumps(pkg.value))",
      'pkg/__init__.py': 'value = 1',
      'pkg/data.csv': '',
    },
    brings: ['pkg/__init__.py'],
    stdout: '1\n',
    notes: [/^main\.py imports what only its run can tell/, /^pkg also has a file that is no module \(pkg\/data\.csv\)/],
  },
};

const shell: Readonly<Record<string, Case>> = {
  'every usual way to name a file beside the script': {
    main: 'bin/main.bash',
    files: {
      'bin/main.bash': [
        'set -e',
        'HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"',
        'ROOT=$HERE/..',
        '. "$(dirname "$0")/a.sh"; source "${BASH_SOURCE[0]%/*}/b.sh"',
        'if true; then source "$HERE"/c.sh || exit 1; fi',
        '. "${ROOT}/lib/d.sh" # . nowhere.sh',
        'NAME=e; f() { . "$HERE/$NAME.sh"; }; f',
        'cat <<EOT >/dev/null',
        'source ./not-this.sh',
        'EOT',
        'n=$((1<<2)); ((n<<=1))',
        'echo "$A $B $C $D $E $n \'. ./nor-this.sh\'"',
      ].join('\n'),
      'bin/a.sh': 'A=a',
      'bin/b.sh': 'B=b',
      'bin/c.sh': '. "$HERE/nested.sh"; C=$NESTED',
      'bin/nested.sh': 'NESTED=c',
      'lib/d.sh': 'D=d',
      'bin/e.sh': 'E=e',
      'bin/not-this.sh': '',
      'bin/nor-this.sh': '',
    },
    brings: ['bin/a.sh', 'bin/b.sh', 'bin/c.sh', 'bin/e.sh', 'bin/nested.sh', 'lib/d.sh'],
    stdout: "a b c d e 8 '. ./nor-this.sh'\n",
  },
  'names from the working directory': {
    main: 'main.sh',
    files: { 'main.sh': '. ./lib.sh\necho "$L"', 'lib.sh': 'L=lib' },
    brings: ['lib.sh'],
    stdout: 'lib\n',
  },
  'what cannot be known is noted': {
    main: 'main.sh',
    files: {
      'main.sh': '[ -z "$1" ] || . "$1"\n[ -z "$2" ] || . /etc/missing.sh\n[ -z "$3" ] || . ./gone.sh\necho done',
    },
    brings: [],
    stdout: 'done\n',
    notes: [
      /^main\.sh sources what only its run can tell/,
      /\/etc\/missing\.sh, an absolute path/,
      /'\.\/gone\.sh', which is not there/,
    ],
  },
};

describe('JavaScript and TypeScript bring', () => tests(javascript));
describe('Python brings', needs('python3'), () => tests(python));
describe('a shell script brings', needs('bash'), () => tests(shell));

function tests(cases: Readonly<Record<string, Case>>): void {
  for (const [title, { files, main, brings, stdout, notes = [] }] of Object.entries(cases)) {
    test(title, async (t) => {
      const scratch = new Scratch(t);
      const top = grow(scratch, 'here', files);
      const brought = await look(join(top, main));
      assert.deepEqual(namesOf(brought, top), [...brings, main].toSorted());
      assert.equal(brought.notes.length, notes.length, brought.notes.join('\n'));
      for (const [index, note] of notes.entries()) assert.match(brought.notes[index] ?? '', note);
      assert.equal(await output(top, main), stdout);
      assert.equal(await output(copyOf(brought, top, scratch), main), stdout);
    });
  }
}

test('what lies beside the file that a link leads to is noted, and a folder that is a link is as good as another', async (t) => {
  const scratch = new Scratch(t);
  const top = grow(scratch, 'real', { 'main.mjs': "import './x.mjs'", 'x.mjs': '', 'main.py': 'import y', 'y.py': '' });
  const links = scratch.folder('links');
  for (const name of ['main.mjs', 'main.py']) symlinkSync(join(top, name), join(links, name));
  assert.match((await look(join(links, 'main.mjs'))).notes.join(), /is reached by a link to .*real\/main\.mjs.*'\.\/x\.mjs'/);
  assert.match((await look(join(links, 'main.py'))).notes.join(), /is reached by a link to .*real\/main\.py.*module y/);
  symlinkSync(top, scratch.path('folder'));
  assert.deepEqual(namesOf(await look(join(scratch.path('folder'), 'main.py')), scratch.path('folder')), ['main.py', 'y.py']);
});

test('a missing file and packages are noted, and node_modules stays', async (t) => {
  const top = grow(new Scratch(t), 'top', {
    'main.js': "try { require('./gone') } catch {} require('left-pad'); require('./node_modules/left-pad/index.js')",
    'node_modules/left-pad/index.js': '',
  });
  const { files, notes } = await look(join(top, 'main.js'));
  assert.deepEqual(files, [join(top, 'main.js')]);
  assert.match(
    notes.join('\n'),
    /imports '\.\/gone', which is not there; that import will fail\n.*'left-pad', a package.*\n.*out of node_modules/,
  );
});

test('a program of another language brings itself', async (t) => {
  const file = new Scratch(t).script('tool', 'echo 1');
  assert.deepEqual((await look(file)).files, [file]);
});

test('the walk has an end where imports and links go round, and a bound', async (t) => {
  const scratch = new Scratch(t);
  const top = grow(scratch, 'top', { 'a.py': 'import b, pkg', 'b.py': 'import a', 'pkg/__init__.py': 'import a' });
  symlinkSync(join(top, 'pkg'), join(top, 'pkg/again'));
  assert.ok((await look(join(top, 'a.py'))).files.includes(join(top, 'pkg/__init__.py')));
  for (let i = 0; i < 5001; i++) scratch.file(`top/many/m${i}.py`);
  scratch.file('top/b.py', 'import many');
  await assert.rejects(look(join(top, 'a.py')), (error) => error instanceof PrisnError && error.code === 'too_large');
});

function grow(scratch: Scratch, folder: string, files: Tree): string {
  for (const [name, text] of Object.entries(files)) scratch.file(join(folder, name), text);
  return scratch.path(folder);
}

function look(file: string): Promise<Brought> {
  return bringsAlong(file, { env: environment(), cwd: dirname(file) }, {});
}

function namesOf({ files }: Brought, top: string): string[] {
  return files.map((file) => relative(top, file)).toSorted();
}

function copyOf({ files }: Brought, top: string, scratch: Scratch): string {
  const copy = scratch.folder('there');
  for (const file of files) {
    const target = join(copy, relative(top, file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
  }
  return copy;
}

async function output(top: string, main: string): Promise<string> {
  const result = await prisn(['run', join(top, main)], { cwd: dirname(join(top, main)), env: { PRISN_DAEMON: 'off' } });
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}
