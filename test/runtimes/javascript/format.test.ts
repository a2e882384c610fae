import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { detectFormat } from '../../../runtimes/javascript/format.ts';
import { Scratch } from '../../scratch.ts';

/** Each with what node makes of it, which the test asks node about. */
const sources = [
  'await 1',
  'f(await 5); function f() {}',
  'if (await true);',
  'const a = [await 5]',
  'const b = { c: await 5 }',
  'const c = (await g()); function g() {}',
  'if (await "text");',
  'if (await new Map());',
  'if (await null);',
  'const d = [await import("node:fs")]',
  'f(typeof await 5); function f() {}',
  'const f = async () => await 5',
  'const await = 1',
  '(await)\nvar await',
];

describe('the format of a source that nothing else decides', () => {
  test('is a module where only an await in an expression says so, as for node', (t) => {
    const scratch = new Scratch(t);
    for (const source of sources) {
      const file = scratch.file('source.js', `${source}\nconsole.log(typeof require);`);
      const { stdout } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
      assert.equal(detectFormat(source), stdout === 'undefined\n' ? 'module' : 'script', source);
    }
  });

  test('is a script where the syntax is wrong in both', () => {
    for (const source of ['f(a b); await 1', 'if (await', 'console.log(`${await 5}`)', 'let a; let a; await 1'])
      assert.equal(detectFormat(source), 'script', source);
  });
});
