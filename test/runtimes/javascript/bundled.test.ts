/** Packages in isolates: what they are to node they are there, and what needs node goes to node. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { prisn, type Result } from '../../prisn.ts';
import { Scratch } from '../../scratch.ts';

/** A folder with packages that are installed beside the program. */
function place(context: TestContext, files: Readonly<Record<string, string>>): (...words: string[]) => Promise<Result> {
  const folder = new Scratch(context);
  folder.file('package.json', '{"type":"module"}');
  for (const [name, text] of Object.entries({ ...packages, ...files })) folder.file(name, text);
  return (...words) => prisn(['run', '-v', ...words], { cwd: folder.root });
}

const packages = {
  'node_modules/esm/package.json': '{"name":"esm","type":"module","exports":{"node":"./node.js","browser":"./browser.js"}}',
  'node_modules/esm/node.js':
    "import { Shared } from 'shared';\nexport const shared = new Shared();\nexport class Same { static at = 'node'; }\n",
  'node_modules/esm/browser.js': "export class Same { static at = 'browser'; }\n",
  'node_modules/cjs/package.json': '{"name":"cjs","main":"lib"}',
  'node_modules/cjs/lib/index.js':
    "const { Shared } = require('shared');\nexports.isShared = (value) => value instanceof Shared;\nclass Same {}\nexports.Same = Same;\nexports.fail = () => {\n  throw new TypeError('within');\n};\n",
  'node_modules/shared/package.json': '{"name":"shared","main":"x.js"}',
  'node_modules/shared/x.js': 'exports.Shared = class Shared {};\n',
  'node_modules/system/package.json': '{"name":"system","main":"x.js"}',
  'node_modules/system/x.js': "module.exports = require('fs').existsSync('/');\n",
  'node_modules/bytes/package.json': '{"name":"bytes","main":"x.js"}',
  'node_modules/bytes/x.js': "module.exports = Buffer.from('a').length;\n",
};

const isolate = /^prisn: (?:java|type)script \(.*\): isolate$/m;

describe('a program with packages', { concurrency: 2 }, () => {
  test('has them in an isolate as it has them in node', async (context) => {
    const run = place(context, {
      'x.js': `import { shared, Same } from 'esm';
import cjs, { isShared } from 'cjs';
import { own } from './own.js';
console.log(isShared(shared), Same.at, Same.name, cjs.Same.name, own(), import.meta.url.slice(-4));
`,
      'own.js': "import { Same } from 'cjs';\nexport const own = () => typeof Same;\n",
    });
    const here = await run('x.js');
    const there = await run('--runtime', 'node', 'x.js');
    assert.match(here.stderr, isolate);
    assert.equal(here.stdout, 'true node Same Same function x.js\n');
    assert.equal(there.stdout, here.stdout);
  });

  test('fails in them with the places of their files', async (context) => {
    const run = place(context, { 'x.ts': "import { fail } from 'cjs';\nenum A { b }\n\nfail(A.b);\n" });
    const { stderr, code } = await run('x.ts');
    assert.match(stderr, isolate);
    assert.match(
      stderr,
      /TypeError: within\n {4}at \S* ?\(?file:\/\/\S*\/node_modules\/cjs\/lib\/index\.js:6:9\)?\n {4}at file:\/\/\S*\/x\.ts:4:1/,
    );
    assert.equal(code, 1);
  });

  for (const [name, why] of [
    ['system', 'which needs fs'],
    ['bytes', 'and the program with its packages uses Buffer'],
  ] as const)
    test(`runs in node, ${why}`, async (context) => {
      const run = place(context, { 'x.js': `import value from '${name}';\nconsole.log(Number(value));\n` });
      const { stdout, stderr } = await run('x.js');
      assert.equal(stdout, '1\n');
      assert.match(stderr, new RegExp(`^prisn: node and not an isolate, since x\\.js:1 imports '${name}', ${why}`, 'm'));
    });

  test('follows a package that changes', async (context) => {
    const folder = new Scratch(context);
    for (const [name, text] of Object.entries(packages)) folder.file(name, text);
    folder.file('x.mjs', "import { Same } from 'esm';\nconsole.log(Same.at);\n");
    const run = () => prisn(['run', 'x.mjs'], { cwd: folder.root });
    assert.equal((await run()).stdout, 'node\n');
    folder.file('node_modules/esm/package.json', '{"name":"esm","type":"module","exports":"./browser.js"}');
    assert.equal((await run()).stdout, 'browser\n');
  });
});
