/** What uv is asked to do where it is installed: a program of its name notes that, and makes a venv as it would. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needs } from '../machine.ts';
import { prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';

test('uv goes before pip, and is asked in its own words', needs('python3'), async (context) => {
  const folder = new Scratch(context);
  folder.script(
    'bin/uv',
    `echo "$*" >>'${folder.path('asked')}'\n[ "$1" = venv ] || exit 0\nfor last; do :; done\nexec python3 -m venv --without-pip "$last"`,
  );
  folder.file('x.py', 'print(1)\n');
  const env = { PRISN_HOME: folder.folder('home'), PATH: `${folder.path('bin')}:${process.env['PATH']}` };
  const asked = async (...words: string[]): Promise<string[]> => {
    const before = folder.log('asked').length;
    const { stdout, stderr } = await prisn(['run', ...words, 'x.py'], { cwd: folder.root, env });
    assert.equal(stdout, '1\n', stderr);
    const anywhere = (line: string) =>
      line.replace(/\S*\/environments\/[^ /]*/g, 'ENV').replace(/--python \/\S*/, '--python PYTHON');
    return folder.log('asked').slice(before).map(anywhere);
  };
  const venv = 'venv --no-project --allow-existing --python PYTHON ENV';
  folder.file('requirements.txt', 'a\n');
  assert.deepEqual(await asked('--frozen'), [
    venv,
    `pip install --python ENV/bin/python3 --compile-bytecode --require-hashes -r ${folder.path('requirements.txt')}`,
  ]);
  assert.deepEqual(await asked('--with', 'b'), [
    venv,
    `pip install --python ENV/bin/python3 --compile-bytecode -r ${folder.path('requirements.txt')} -r ENV/requirements.txt`,
  ]);
  folder.file('pyproject.toml', '[project]\nname = "x"\nversion = "1"\ndependencies = ["a"]\n');
  folder.file('uv.lock', 'version = 1\n');
  assert.deepEqual((await asked())[1], 'sync --compile-bytecode --python ENV/bin/python3 --frozen --no-dev --no-install-project');
});
