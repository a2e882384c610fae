/** Python programs with what they need, from the command line: every form of saying it, from a fresh folder. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { after, describe, test, type TestContext } from 'node:test';
import { needs } from '../machine.ts';
import { prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { PythonIndex } from './wheels.ts';

/** A build backend (PEP 517, PEP 660) that needs nothing: it puts the folder on the path. */
const editable = `import zipfile, os
def build_editable(out, config=None, metadata=None):
    name = 'own-5.0-py3-none-any.whl'
    info = 'own-5.0.dist-info/'
    with zipfile.ZipFile(os.path.join(out, name), 'w') as z:
        z.writestr('own.pth', os.path.dirname(os.path.abspath(__file__)))
        z.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: own\\nVersion: 5.0\\n')
        z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        z.writestr(info + 'RECORD', 'own.pth,,\\n')
    return name
build_wheel = build_editable
`;

describe('a Python program brings what it needs', { ...needs('python3'), concurrency: 2 }, async () => {
  const shelf = new Scratch();
  const index = await PythonIndex.start({ after }, shelf);

  const hashes = [
    index.add({ name: 'apple', version: '1.0' }),
    index.add({ name: 'apple', version: '2.0' }),
    index.add({ name: 'pear', version: '3.1', needs: ['apple<2'], extras: { ripe: ['plum'] } }),
    index.add({ name: 'plum', version: '4.0' }),
    index.add({ name: 'future', version: '1.0', requiresPython: '>=4' }),
  ];
  const [appleHash = ''] = hashes;

  /** A program that says which versions it sees, in a folder with these files. */
  const place = (context: TestContext, files: Record<string, string> = {}) => {
    const folder = new Scratch(context);
    const shows = (names: string) =>
      `${names
        .split(' ')
        .map((name) => `import ${name}`)
        .join('\n')}\nprint(*[m.version for m in (${names.replaceAll(' ', ', ')},)])\n`;
    for (const [name, text] of Object.entries(files)) folder.file(name, text.replaceAll('INDEX', index.url));
    const env = { ...index.env, PRISN_HOME: folder.folder('home') };
    const run = (words: readonly string[], more: NodeJS.ProcessEnv = {}) =>
      prisn(['run', ...words], { cwd: folder.root, env: { ...env, ...more } });
    return { folder, shows, run, env };
  };

  test('from requirements.txt beside it, and only once', async (context) => {
    const { folder, run, shows } = place(context, { 'requirements.txt': '# fruit\napple<2  # the old one\n' });
    folder.file('x.py', shows('apple'));
    const first = await run(['x.py']);
    assert.equal(first.stdout, '1.0\n', first.stderr);
    assert.match(first.stderr, /^prisn: installing requirements\.txt by (?:pip|uv), once\nprisn: installed in [\d.]+ s\n$/);
    const before = index.asked.length;
    const second = await run(['x.py']);
    assert.deepEqual([second.stdout, second.stderr], ['1.0\n', '']);
    assert.equal(index.asked.filter((path, i) => i >= before && path.includes('apple')).length, 0);
  });

  /** What a folder says, and what a program in it sees then. */
  const forms: Record<string, { files: Record<string, string>; sees: string; says: string }> = {
    'extras and markers': {
      files: { 'requirements.txt': 'pear[ripe]; python_version >= "3.8"\nnothing-such; python_version < "3"\n' },
      sees: 'pear plum apple',
      says: '3.1 4.0 1.0',
    },
    'a line of hashes that goes on': {
      files: { 'requirements.txt': `apple==1.0 \\\n    --hash=${appleHash}\n` },
      sees: 'apple',
      says: '1.0',
    },
    'files that it includes, as requirements and as constraints': {
      files: { 'requirements.txt': '-r more/base.txt\n-c limits.txt\n', 'more/base.txt': 'apple\n', 'limits.txt': 'apple<2\n' },
      sees: 'apple',
      says: '1.0',
    },
    'a package in a folder, to be edited there': {
      files: {
        'requirements.txt': '-e ./lib\n',
        'lib/pyproject.toml':
          '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "own"\nversion = "5.0"\n',
        'lib/backend.py': editable,
        'lib/own.py': "version = '5.0'\n",
      },
      sees: 'own',
      says: '5.0',
    },
    'an index of its own': { files: { 'requirements.txt': '--index-url INDEX\nplum\n' }, sees: 'plum', says: '4.0' },
    'an address': {
      files: { 'requirements.txt': 'plum @ INDEX../files/plum/plum-4.0-py3-none-any.whl\n' },
      sees: 'plum',
      says: '4.0',
    },
    'pyproject.toml': {
      files: { 'pyproject.toml': '[project]\nname = "x"\nversion = "1"\ndependencies = ["pear", "plum>=4"]\n' },
      sees: 'pear plum',
      says: '3.1 4.0',
    },
    'uv.lock': {
      files: {
        'pyproject.toml': '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.8"\ndependencies = ["apple"]\n',
        'uv.lock':
          'version = 1\nrequires-python = ">=3.8"\n[[package]]\nname = "apple"\nversion = "1.0"\nsource = { registry = "INDEX" }\n' +
          `wheels = [{ url = "INDEX../files/apple/apple-1.0-py3-none-any.whl", hash = "${appleHash}" }]\n` +
          '[[package]]\nname = "x"\nversion = "1"\nsource = { virtual = "." }\ndependencies = [{ name = "apple" }]\n' +
          '[package.metadata]\nrequires-dist = [{ name = "apple" }]\n',
      },
      sees: 'apple',
      says: '1.0',
    },
  };
  for (const [form, { files, sees, says }] of Object.entries(forms))
    test(`by ${form}`, async (context) => {
      const { folder, run, shows } = place(context, files);
      folder.file('x.py', shows(sees));
      const { stdout, stderr } = await run(['x.py']);
      assert.equal(stdout, `${says}\n`, stderr);
    });

  test('by a block in its text, which goes before the files beside it', async (context) => {
    const { folder, run, shows } = place(context, { 'requirements.txt': 'nothing-such\n' });
    folder.file('x.py', `# /// script\n# dependencies = [\n#   "apple==2.0",\n# ]\n# ///\n${shows('apple')}`);
    const { stdout, stderr } = await run(['x.py']);
    assert.equal(stdout, '2.0\n', stderr);
    assert.match(stderr, /installing x\.py \(# \/\/\/ script\)/);
  });

  test('by options, beside what it says itself', async (context) => {
    const { folder, run, shows } = place(context, { 'requirements.txt': 'apple==2.0\n' });
    folder.file('x.py', shows('apple plum'));
    const { stdout, stderr } = await run(['--with', 'plum==4.0', 'x.py']);
    assert.equal(stdout, '2.0 4.0\n', stderr);
    const code = await run(['--with', 'plum', '--runtime', 'python3', '--exec', 'import plum; print(plum.version)']);
    assert.equal(code.stdout, '4.0\n', code.stderr);
  });

  test('and gets nothing with --no-deps', async (context) => {
    const { folder, run } = place(context, { 'requirements.txt': 'nothing-such\n' });
    folder.file('x.py', 'print(1)\n');
    const { stdout, stderr } = await run(['--no-deps', 'x.py']);
    assert.deepEqual([stdout, stderr], ['1\n', '']);
  });

  test('and runs in the environment that is active, or beside it', async (context) => {
    const { folder, run } = place(context, { 'requirements.txt': 'nothing-such\n' });
    folder.file('x.py', 'import sys; print(sys.prefix)\n');
    spawnSync('python3', ['-m', 'venv', '--without-pip', folder.path('other')]);
    const active = await run(['x.py'], { VIRTUAL_ENV: folder.path('other') });
    assert.deepEqual([active.stdout, active.stderr], [`${folder.path('other')}\n`, '']);
    spawnSync('python3', ['-m', 'venv', '--without-pip', folder.path('.venv')]);
    const beside = await run(['x.py']);
    assert.deepEqual([beside.stdout, beside.stderr], [`${folder.path('.venv')}\n`, '']);
  });

  test('anew when a file changes that decides what is installed', async (context) => {
    const { folder, run, shows } = place(context, { 'requirements.txt': '-c limits.txt\napple\n', 'limits.txt': 'apple<2\n' });
    folder.file('x.py', shows('apple'));
    assert.equal((await run(['x.py'])).stdout, '1.0\n');
    folder.file('limits.txt', 'apple>=2\n');
    assert.equal((await run(['x.py'])).stdout, '2.0\n');
  });

  /** What goes wrong, and what is said about it. */
  const failures: Record<string, { files: Record<string, string>; words?: string[]; env?: NodeJS.ProcessEnv; says: RegExp }> = {
    'a package that does not exist': {
      files: { 'requirements.txt': 'nothing-such\n' },
      says: /^prisn: requirements\.txt by \w+: \w+ install found no nothing-such; look at the name/m,
    },
    'a wrong hash': {
      files: { 'requirements.txt': `apple==2.0 --hash=${appleHash}\n` },
      says: /^prisn: .*got something else for apple==2\.0\S* than its hash says/m,
    },
    'an index that is not reached': {
      files: { 'requirements.txt': 'apple\n' },
      env: { PIP_INDEX_URL: 'http://127.0.0.1:9/simple/' },
      says: /^prisn: .*does not reach the index: no network/m,
    },
    'a package for another Python': {
      files: { 'requirements.txt': 'future\n' },
      says: /^prisn: .*refused future, which is for Python >=4 and not 3\.\d+\.\d+; name another by --python$/m,
    },
    'versions that exclude each other': {
      files: { 'requirements.txt': 'apple==2.0\npear\n' },
      says: /^prisn: .*found no versions that fit together/m,
    },
    'a line that is none': {
      files: { 'requirements.txt': 'apple = 2\n' },
      says: /^prisn: .*cannot read the requirement 'apple = 2'/m,
    },
    'no hashes with --frozen': {
      files: { 'requirements.txt': 'apple==1.0\n' },
      words: ['--frozen'],
      says: /^prisn: .*needs a hash for each package with --frozen/m,
    },
    'a Python that is not there': {
      files: { 'requirements.txt': 'apple\n' },
      words: ['--python', '3.99'],
      says: /^prisn: Python 3\.99 was asked for, and there is 3\.\d+/m,
    },
    'a block that is no TOML': {
      files: { 'x.py': '# /// script\n# dependencies = [\n# ///\n' },
      says: /^prisn: .*x\.py: line 2 of its # \/\/\/ script block: .*; correct it, or run without dependencies: --no-deps$/m,
    },
    'a block for another Python': {
      files: { 'x.py': '# /// script\n# requires-python = ">=3.99"\n# ///\n' },
      says: /^prisn: the program says that it is for Python >=3\.99, and there is 3\.\d+/m,
    },
  };
  for (const [what, { files, words = [], env = {}, says }] of Object.entries(failures))
    test(`and says what to do about ${what}`, async (context) => {
      const { folder, run } = place(context, { 'x.py': 'print(1)\n', ...files });
      const { code, stdout, stderr } = await run([...words, 'x.py'], env);
      assert.match(stderr, says);
      assert.deepEqual([stdout, code], ['', stderr.includes('there is 3.') ? 127 : 125]);
      const left = existsSync(folder.path('home/environments')) ? readdirSync(folder.path('home/environments')) : [];
      assert.deepEqual(left, [], 'nothing is taken for good');
    });
});
