/** Programs that need node: they have the same TypeScript there as in an isolate, and the same default export. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { environment, prisn, type RunOptions } from '../../prisn.ts';
import { Scratch } from '../../scratch.ts';

const scratch = new Scratch();
let folders = 0;

/** Writes files into a folder of their own. @returns the path of the first */
function program(files: Readonly<Record<string, string>>): string {
  const folder = `${++folders}`;
  const paths = Object.entries(files).map(([name, text]) => scratch.file(`${folder}/${name}`, text));
  return paths[0] as string;
}

/** Runs a program that ends well. @returns its stdout */
async function outputOf(path: string, words: readonly string[] = [], options: RunOptions = {}): Promise<string> {
  const result = await prisn(['run', ...words, path], options);
  assert.deepEqual([result.code, result.stderr], [0, ''], result.stdout);
  return result.stdout;
}

describe('TypeScript beside a module of node', () => {
  const features: Record<string, readonly [text: string, prints: string, others?: Readonly<Record<string, string>>]> = {
    enums: ['enum Color { Red = 5, Blue }\nconsole.log(Color.Blue, Color[5]);', '6 Red'],
    namespaces: ['namespace N { export const x = 3; }\nconsole.log(N.x);', '3'],
    'parameter properties': ['class P { constructor(readonly x: number) {} }\nconsole.log(new P(4).x);', '4'],
    'decorators of the standard': [
      'const named = (_: unknown, { name }: { name: string }) => console.log(name);\nclass D { @named method() {} }\nnew D();',
      'method',
    ],
    'decorators of TypeScript': [
      'const named = (_: object, name: string) => console.log(name);\nclass D { @named method() {} }\nnew D();',
      'method',
      { 'tsconfig.json': '{ "compilerOptions": { "experimentalDecorators": true, }, /* JSON with comments */ }' },
    ],
    'an import without its extension': [
      "import { x } from './x';\nconsole.log(x);",
      '7',
      { 'x.ts': 'export const x: number = 7;' },
    ],
    'an import of what a compiler would write': [
      "import { x } from './x.js';\nconsole.log(x);",
      '7',
      { 'x.ts': 'enum X { x = 7 }\nexport const { x } = X;' },
    ],
    'an import of a directory': [
      "import { x } from './lib';\nconsole.log(x);",
      '7',
      { 'lib/index.ts': 'export const x: number = 7;' },
    ],
    'an import by the paths of tsconfig.json': [
      "import { x } from '@/x';\nconsole.log(x);",
      '7',
      {
        'tsconfig.json': '{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }',
        'src/x.ts': 'export const x: number = 7;',
      },
    ],
    'an import that is only a type': [
      "import { T } from './t';\nconsole.log(1 as T);",
      '1',
      { 't.ts': 'export type T = number;' },
    ],
    'an import() of a computed name': [
      "const name = ['x'][0];\nconsole.log((await import(`./${name}`)).x);",
      '7',
      { 'x.ts': 'export const x: number = 7;' },
    ],
    'a package, and JSON': [
      "import { name } from 'pkg';\nimport data from './data.json' with { type: 'json' };\nconsole.log(name, data.x);",
      'pkg 8',
      {
        'node_modules/pkg/package.json': '{ "main": "main.js" }',
        'node_modules/pkg/main.js': "exports.name = 'pkg';",
        'data.json': '{ "x": 8 }',
      },
    ],
    'a package of CommonJS beside which imports are ES modules': [
      'console.log(typeof require, await 9);',
      'undefined 9',
      { 'package.json': '{ "type": "commonjs" }' },
    ],
  };
  for (const [feature, [text, prints, others]] of Object.entries(features)) {
    test(feature, async () => {
      const path = program({ 'main.ts': `import 'node:fs';\n${text}`, ...others });
      assert.equal(await outputOf(path), `${prints}\n`);
    });
  }

  test('JSX, in .tsx and in .jsx', async () => {
    const runtime = 'exports.jsx = (type, { children }) => `<${type}>${children}</${type}>`;';
    for (const name of ['main.tsx', 'main.jsx']) {
      const path = program({
        [name]: "import 'node:fs';\nconsole.log(<b>bold</b>);",
        'tsconfig.json': '{ "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "tiny" } }',
        'node_modules/tiny/package.json': '{ "exports": { "./jsx-runtime": "./jsx.cjs" } }',
        'node_modules/tiny/jsx.cjs': runtime,
      });
      assert.equal(await outputOf(path), '<b>bold</b>\n');
    }
  });

  test('by --runtime node, which asks nobody', async () => {
    assert.equal(await outputOf(program({ 'main.ts': 'enum E { A = 2 }\nconsole.log(E.A);' }), ['--runtime', 'node']), '2\n');
  });

  test('imported by JavaScript', async () => {
    const path = program({
      'main.mjs': "import 'node:fs';\nimport { x } from './x.ts';\nconsole.log(x);",
      'x.ts': "import { y } from './y';\nenum X { x = 7 }\nexport const x = X.x + y;",
      'y.ts': 'export const y: number = 1;',
    });
    assert.equal(await outputOf(path), '8\n');
  });

  test('as CommonJS in .cts, with imports and with require', async () => {
    const path = program({
      'main.cts': [
        "import { join } from 'node:path';",
        "import x = require('./x');",
        "const { y } = require('./y.cts');",
        "console.log(join('a', 'b'), x.X.a, y, require.main === module, __filename);",
      ].join('\n'),
      'x.ts': 'enum X { a = 7 }\nexport = { X };',
      'y.cts': 'export const y: number = 8;',
    });
    assert.equal(await outputOf(path), `a/b 7 8 true ${path}\n`);
  });

  test('in many files', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `x${index}`);
    const path = program({
      'main.ts': `import 'node:fs';\n${names.map((name) => `import { ${name} } from './${name}';`).join('\n')}\nconsole.log(${names.join(' + ')});`,
      ...Object.fromEntries(names.map((name) => [`${name}.ts`, `enum E { A = 2 }\nexport const ${name} = E.A;`])),
    });
    assert.equal(await outputOf(path), '24\n');
  });

  test('in worker threads and in forked children', async () => {
    const path = program({
      'main.ts': [
        "import { fork } from 'node:child_process';",
        "import { Worker } from 'node:worker_threads';",
        "new Worker(new URL('./other.ts', import.meta.url)).once('exit', () => fork(new URL('./other.ts', import.meta.url)));",
      ].join('\n'),
      'other.ts': "enum E { A = 3 }\nconsole.log(E.A);\nexport default () => 'is called for the program alone';",
    });
    assert.equal(await outputOf(path), '3\n3\n');
  });

  test('a syntax error tells its place, and can be caught', async () => {
    const files = { 'broken.ts': 'let a: number = 1;\nlet b = ;' };
    const result = await prisn(['run', program({ 'main.ts': "await import(['./broken'][0]);", ...files })]);
    assert.equal(result.code, 1);
    assert.match(
      result.stderr,
      /broken\.ts:2\nlet b = ;\n {8}\^\n\nSyntaxError: Unexpected ";"\n {4}at file:.*broken\.ts\n\nNode/,
    );
    const caught = "try { await import(['./broken'][0]); } catch (error) { console.log(error instanceof SyntaxError); }";
    assert.equal(await outputOf(program({ 'main.ts': caught, ...files })), 'true\n');
  });

  test('errors show the lines of the file', async () => {
    const text =
      "import 'node:fs';\ninterface A {\n  a: string;\n}\nenum E { A }\nfunction fail(): never {\n  throw new Error(E[0]);\n}\nfail();\n";
    for (const name of ['main.ts', 'odd #1 %20.ts', 'main.cts']) {
      const path = program({ [name]: text });
      const result = await prisn(['run', path]);
      assert.equal(result.code, 1);
      const trace = result.stderr.replaceAll(pathToFileURL(path).href, path);
      assert.ok(
        trace.startsWith(`${path}:7\n  throw new Error(E[0]);\n        ^\n\nError: A\n    at fail (${path}:7:9)\n`),
        trace,
      );
      assert.ok(trace.includes(`${path}:9:1`), trace);
    }
  });
});

describe('a default export in node', () => {
  const imports = "import 'node:fs';\n";
  const echo = `${imports}export default async (input, { args, env }) => ({ input, args, level: env.LEVEL });`;

  test('is called with --input, its arguments and its environment, and its value is printed as JSON', async () => {
    const result = await prisn(['run', '-e', 'LEVEL=high', '--input', '{"n":4}', program({ 'main.mjs': echo }), 'x', 'y']);
    assert.equal(result.stdout, '{"input":{"n":4},"args":["x","y"],"level":"high"}\n', result.stderr);
  });

  test('is called with the JSON on stdin', async () => {
    assert.equal(await outputOf(program({ 'main.mjs': echo }), [], { stdin: '[5]\n' }), '{"input":[5],"args":[]}\n');
  });

  test('is called without input when stdin is empty or blank', async () => {
    const path = program({ 'main.mjs': echo });
    for (const options of [{}, { stdin: '' }, { stdin: ' \n' }]) assert.equal(await outputOf(path, [], options), '{"args":[]}\n');
  });

  test('is not called with what is no JSON', async () => {
    const result = await prisn(['run', program({ 'main.mjs': `${imports}export default () => 'called';` })], { stdin: 'n=5' });
    assert.deepEqual([result.code, result.stdout], [2, '']);
    assert.match(
      result.stderr,
      /^prisn: standard input is not JSON \(.*\); the default export takes JSON there or by --input '<json>'\n$/,
    );
  });

  test('leaves stdin to a program that reads it first', async () => {
    const text =
      "import { readFileSync } from 'node:fs';\nconst text = readFileSync(0, 'utf8');\nexport default (input) => [text, input ?? null];";
    assert.equal(await outputOf(program({ 'main.mjs': text }), [], { stdin: 'n=5' }), '["n=5",null]\n');
  });

  test('is called once all of the module is evaluated', async () => {
    const text = `${imports}export default () => state;\nlet state = 'started';\nawait new Promise(setImmediate);\nconsole.log(state);\nstate = 'ready';`;
    assert.equal(await outputOf(program({ 'main.mjs': text })), 'started\n"ready"\n');
  });

  test('may be of any form that makes a function', async () => {
    for (const [name, text] of Object.entries({
      'main.ts': 'enum E { A = 1 }\nexport default function (): E { return E.A; }',
      'main.tsx': 'const f = <T,>(x: T) => 1;\nexport { f as default };',
      'main.cts': 'export default () => 1;',
      'main.js': 'export default { f() { return 1; } }.f;',
      'main.mjs': "export { default } from './other.mjs';",
    })) {
      const path = program({
        [name]: `import 'node:fs';\n${text}`,
        'other.mjs': 'export default () => 1;',
        'package.json': '{"type":"module"}',
      });
      assert.equal(await outputOf(path), '1\n', name);
      assert.equal(await outputOf(path, ['--runtime', 'node']), '1\n', name);
    }
  });

  test('is left alone where it is a class, no function, or what CommonJS exports', async () => {
    for (const [name, text] of Object.entries({
      'class.mjs': 'import "node:fs"; export default class { constructor() { console.log("made"); } }',
      'value.mjs': 'import "node:fs"; export default { fetch: () => console.log("called") };',
      'main.cjs': 'module.exports = () => 1;',
      'main.cts': 'export = () => 1;',
      'main.js': 'require("node:fs"); module.exports = () => 1; module.exports.default = () => 2;',
    }))
      assert.equal(await outputOf(program({ [name]: text })), '', name);
  });

  test('prints nothing for undefined', async () => {
    assert.equal(await outputOf(program({ 'main.mjs': `${imports}export default () => {};` })), '');
  });

  const failures: Record<string, readonly [text: string, says: RegExp]> = {
    'when it throws': [
      'export default () => { throw new RangeError("far"); };',
      /main\.ts:2\n.*\n +\^\n\nRangeError: far\n {4}at .*main\.ts:2:30/,
    ],
    'when its promise is rejected': [
      'export default async () => { await 1; throw new RangeError("far"); };',
      /RangeError: far\n {4}at .*main\.ts:2:45/,
    ],
    'when its value is not for JSON': ['export default () => 10n;', /TypeError: Do not know how to serialize a BigInt/],
    'when the module fails': ['export default () => 1;\nthrow new RangeError("far");', /main\.ts:3\n/],
  };
  for (const [title, [text, says]] of Object.entries(failures)) {
    test(`fails with the error and none of our lines ${title}`, async () => {
      const result = await prisn(['run', program({ 'main.ts': imports + text })]);
      assert.deepEqual([result.code, result.stdout], [1, ''], result.stderr);
      assert.match(result.stderr, says);
      assert.doesNotMatch(result.stderr, /node-entry|node-typescript/);
    });
  }

  test('gives exit code 13 when its promise never settles, and its own code to a program that sets one', async () => {
    const never = await prisn(['run', program({ 'main.mjs': `${imports}export default () => new Promise(() => {});` })]);
    assert.equal(never.code, 13);
    assert.match(never.stderr, /^Warning: Detected unsettled promise of the default export at the end of file:.*main\.mjs\n$/);
    const exits = `${imports}export default async () => { process.exitCode = 3; setTimeout(() => process.exit(), 1); await new Promise(() => {}); };`;
    const exited = await prisn(['run', program({ 'main.mjs': exits })]);
    assert.deepEqual([exited.code, exited.stderr], [3, '']);
  });

  test('that is missing refuses --input', async () => {
    const result = await prisn(['run', '--input', '1', program({ 'main.mjs': `${imports}export const a = 1;` })]);
    assert.deepEqual([result.code, result.stdout], [2, '']);
    assert.match(result.stderr, /^prisn: --input calls the default export of a program, and .*main\.mjs has none;[^\n]*\n$/);
  });
});

describe('a program that is prepared for node', () => {
  const facts = [
    "import { execFileSync } from 'node:child_process';",
    "const child = execFileSync('env', { encoding: 'utf8' });",
    'console.log(JSON.stringify({',
    '  argv: process.argv.slice(1), main: import.meta.main, url: import.meta.url, filename: import.meta.filename,',
    "  env: [...Object.keys(process.env), ...child.split('\\n')].filter((name) => /PRISN_INPUT|ESBUILD/.test(name)),",
    '}));',
    'export default () => {};',
  ].join('\n');
  for (const name of ['main.mjs', 'main.ts']) {
    test(`sees of it neither in its arguments nor in its environment: ${name}`, async () => {
      const path = program({ [name]: facts });
      const result = await prisn(['run', '--input', '1', path, '--flag', 'x']);
      const expected = { argv: [path, '--flag', 'x'], main: true, url: pathToFileURL(path).href, filename: path, env: [] };
      assert.deepEqual(JSON.parse(result.stdout), expected, result.stderr);
    });
  }

  test('is known by the path that a link to it leads to', async () => {
    const path = program({ 'main.ts': "import 'node:fs';\nenum E { A = 1 }\nexport default () => [E.A, import.meta.url];" });
    const link = `${dirname(path)}/link.ts`;
    symlinkSync(path, link);
    assert.equal(await outputOf(link), `${JSON.stringify([1, pathToFileURL(path).href])}\n`);
  });
});

describe('a program that node runs as it is', () => {
  const plain: Record<string, string> = {
    'main.cjs': 'console.log(module.id, module.parent, process.execArgv, process.argv, Object.keys(require.cache)); null.x;',
    'main.mjs': "import 'node:fs'; console.log(process.execArgv, process.argv, import.meta.main); await 1; null.x;",
    'main.js': "const fs = require('node:fs'); const text = 'export default'; console.log(process.execArgv, text); null.x;",
  };
  for (const [name, text] of Object.entries(plain)) {
    test(`is started without anything, and prints the same to the byte: ${name}`, async () => {
      const path = program({ [name]: text });
      const bare = spawnSync(process.execPath, [path, 'x'], {
        env: environment(),
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const words of [[], ['--runtime', 'node']]) {
        const { code, stdout, stderr } = await prisn(['run', ...words, path, 'x']);
        assert.deepEqual([code, stdout, stderr], [bare.status, bare.stdout, bare.stderr]);
      }
    });
  }
});
