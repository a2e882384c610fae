import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pythonNeeds } from '../../../runtimes/python3/needs.ts';
import { satisfies } from '../../../runtimes/python3/specifiers.ts';
import { Scratch } from '../../scratch.ts';

describe('what a Python program says that it needs', () => {
  const of = (text: string) => pythonNeeds({ file: '/nowhere/x.py', text, added: [] });

  test('is read from a block of PEP 723, up to its last closing line', async () => {
    const needs = await of(
      '#!/usr/bin/env python3\n# /// script\n# requires-python = ">=3.9"\n# dependencies = [\n#   "a",\n#\n#   "b[x]>=1; python_version>\'3\'",\n# ]\n# ///\n\nprint()\n',
    );
    assert.deepEqual(needs?.requirements, ['a', "b[x]>=1; python_version>'3'"]);
    assert.deepEqual([needs?.form, needs?.requiresPython, needs?.folder], ['script', '>=3.9', '/nowhere']);
    const crlf = await of('# /// script\r\n# dependencies = ["a"]\r\n# ///\r\n');
    assert.deepEqual(crlf?.requirements, ['a']);
  });

  test('is nothing in what only looks like a block', async () => {
    for (const text of [
      '# /// script\n# dependencies = ["a"]\n',
      '# /// other\n# dependencies = ["a"]\n# ///\n',
      ' # /// script\n # dependencies = ["a"]\n # ///\n',
      '# /// script\n# dependencies = []\n# ///\n',
    ])
      assert.equal(await of(text), undefined, text);
  });

  test('is refused where it cannot be read', async () => {
    const block = '# /// script\n# dependencies = ["a"]\n# ///\n';
    await assert.rejects(of(`${block}x = 1\n${block}`), { code: 'dependency', message: /more than one # \/\/\/ script block/ });
    await assert.rejects(of('# /// script\n# dependencies = "a"\n# ///\n'), { message: /its dependencies is no list of texts/ });
  });

  test('is the first of uv.lock, requirements.txt and pyproject.toml, up to the top folder', async (context) => {
    const folder = new Scratch(context);
    const file = folder.file('a/b/x.py');
    const form = async (top?: string) => (await pythonNeeds({ file, top, added: [] }))?.form;
    folder.file('a/pyproject.toml', '[project]\nname = "x"\ndependencies = ["a"]\n');
    assert.deepEqual(
      [await form(), await form(folder.path('a/b')), await form(folder.path('a'))],
      [undefined, undefined, 'project'],
    );
    folder.file('a/requirements.txt', 'a\n');
    assert.equal(await form(folder.root), 'requirements');
    folder.file('a/uv.lock', '');
    assert.equal(await form(folder.root), 'lock');
    folder.file('a/b/pyproject.toml', '[tool.black]\nline-length = 99\n');
    assert.equal(await form(folder.root), 'lock');
  });
});

test('versions of Python satisfy specifiers as PEP 440 says', () => {
  const cases: readonly (readonly [specifiers: string, fits: readonly string[], fails: readonly string[]])[] = [
    ['', ['3.8.1'], []],
    ['>=3.9,<4', ['3.9.0', '3.12.1'], ['3.8.19', '4.0']],
    ['~=3.10', ['3.10.0', '3.12.4'], ['3.9.9', '4.0.0']],
    ['~=3.10.2', ['3.10.2', '3.10.9'], ['3.10.1', '3.11.0']],
    ['==3.11.*', ['3.11.0', '3.11.7'], ['3.12.0']],
    ['!=3.11.*', ['3.12.0'], ['3.11.7']],
    ['==3.11', ['3.11.0'], ['3.11.1']],
    ['>3.10, !=3.11.3', ['3.11.2'], ['3.10', '3.11.3']],
  ];
  for (const [specifiers, fits, fails] of cases) {
    for (const version of fits) assert.equal(satisfies(version, specifiers), true, `${version} ${specifiers}`);
    for (const version of fails) assert.equal(satisfies(version, specifiers), false, `${version} ${specifiers}`);
  }
  assert.equal(satisfies('3.11.0', 'about 3'), undefined);
});
