import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'acorn';
import fc from 'fast-check';
import { lackedWords } from '../../../runtimes/javascript/lacks.ts';
import { scanLexed } from '../../../runtimes/javascript/lexed.ts';
import { scanParsed } from '../../../runtimes/javascript/parsed.ts';
import type { Scan } from '../../../runtimes/javascript/scan.ts';
import { prisn } from '../../prisn.ts';

/** Statements of a module, and how many keywords in each are renamed. */
const statements: readonly (readonly [text: string, renamed: number])[] = [
  ["import('./a.js')", 1],
  ['const { x = import(`./a.js`) } = await import("./b.js")', 2],
  ["import /* import('./no.js') */ (\n  './a.js'\n)", 1],
  ["const text = 'import(1) import.meta'", 0],
  ['const template = `import.meta ${import.meta.url} import("") ${`${import("./a.js")}`}`', 2],
  ['const pattern = /import(.*)import.meta/g', 0],
  ['const quotient = 4 / import.meta.url / 2', 1],
  ["// import('./no.js')", 0],
  ['/* import.meta\n import.meta */', 0],
  ['const o = { import: 1, get meta() { return o.import } }; o.import; o?.import', 0],
  ['class C { import() { return import.meta.dirname } static import = import("./a.js") }', 2],
  ['import.meta.url?.length', 1],
  ['const größe = "💥 é\\u{1f4a5}"; const f = async () => import("./ü.js")', 1],
  ['import d, { default as e, import as g } from "./a.js"', 0],
  ['export * as import from "./a.js"', 0],
  ['\u2028;\r\n;', 0],
  ['label: for (;;) break label', 0],
  ['', 0],
];
const separators = ['\n', '\r\n', '\n\n\t', '\n;', '\n    '];
const source = fc
  .array(fc.tuple(fc.constantFrom(...statements), fc.constantFrom(...separators)), { maxLength: 12 })
  .map((picked) => ({
    // Names may be declared once; a block gives each statement its own, where it may stand in one.
    text: picked
      .map(([[text], end]) => (/^(?:import d|export)/.test(text) ? `${text}${end}` : `{ ${text}${end}}${end}`))
      .join(''),
    renamed: picked.reduce((sum, [[, count]]) => sum + count, 0),
  }));

describe('renaming import() and import.meta', () => {
  test('keeps every other character, and with it all positions', () => {
    fc.assert(
      fc.property(source, ({ text, renamed }) => {
        fc.pre(parses(text));
        const { code } = scanParsed(text, 'module', false);
        assert.equal(code.length, text.length);
        const names = [...code.matchAll(/\$impt\$|\$importMeta/g)];
        assert.equal(names.length, renamed);
        let back = code;
        for (const { 0: name, index } of names) {
          back = back.slice(0, index) + (name === '$impt$' ? 'import' : 'import.meta') + back.slice(index + name.length);
        }
        assert.equal(back, text);
      }),
    );
  });

  test('leaves code without either keyword in it', () => {
    fc.assert(
      fc.property(source, ({ text }) => {
        fc.pre(parses(text));
        const rest: string[] = [];
        parse(scanParsed(text, 'module', false).code, {
          ecmaVersion: 'latest',
          sourceType: 'module',
          onToken: ({ type, end }) => {
            if (type.keyword === 'import') rest.push(scanParsed(text, 'module', false).code.slice(end, end + 1));
          },
        });
        assert.ok(rest.every((next) => next !== '(' && next !== '.'));
      }),
    );
  });
});

describe('the lexer', () => {
  test('tells what the parser tells, or leaves it to the parser', async () => {
    await fc.assert(
      fc.asyncProperty(source, async ({ text }) => {
        fc.pre(parses(text));
        const lexed = await scanLexed(text, 'module');
        const { imports, findings, code } = scanParsed(text, 'module', false);
        assert.deepEqual(findings, []);
        assert.deepEqual(lexed && { ...lexed, imports: specifiers(lexed) }, { findings, code, imports: specifiers({ imports }) });
      }),
    );
  });

  for (const text of [
    'import(name)',
    'import("./a.js", options)',
    'import(`./${name}.js`)',
    'import "./a.js" with { type: "css" }',
    'import source x from "./a.wasm"',
    'import defer * as x from "./a.js"',
    'import.meta.resolve("./a.js")',
    'f(import.meta)',
    'import . meta.url',
    'import "./a.js',
  ]) {
    test(`leaves ${text} to the parser`, async () => {
      assert.equal(await scanLexed(text, 'module'), undefined);
    });
  }
});

function specifiers({ imports }: Pick<Scan, 'imports'>): [string, boolean][] {
  return imports.map(({ specifier, dynamic }) => [specifier, dynamic]);
}

/** `import d` twice is not a module. */
function parses(text: string): boolean {
  try {
    parse(text, { ecmaVersion: 'latest', sourceType: 'module' });
    return true;
  } catch {
    return false;
  }
}

/** Run in an isolate and here: the names of all globals, and the members of some. */
const survey = (names: readonly string[]) => {
  const membersOf = (object: unknown): string[] =>
    Object(object) !== object || object === Object.prototype || object === Function.prototype
      ? []
      : [...Object.getOwnPropertyNames(object), ...membersOf(Object.getPrototypeOf(object))];
  return {
    globals: Object.getOwnPropertyNames(globalThis),
    members: Object.fromEntries(
      names.map((name) => [
        name,
        membersOf(Reflect.get(globalThis, name)).filter((member) => /^[a-z]\w*$/i.test(member) && member !== 'constructor'),
      ]),
    ),
  };
};

async function surveyIsolate(names: readonly string[]): Promise<ReturnType<typeof survey>> {
  const code = `console.log(JSON.stringify((${survey})(${JSON.stringify(names)})))`;
  const { stdout, stderr } = await prisn(['run', '--runtime', 'js', '--exec', code]);
  assert.equal(stderr, '');
  return JSON.parse(stdout) as ReturnType<typeof survey>;
}

describe('the table of what isolates lack', () => {
  const objects = ['process', 'performance', 'crypto', 'URL', 'WebAssembly', 'console'];
  const inNode = survey(objects);
  const inIsolate = surveyIsolate(objects);
  const exceptions = [
    // An isolate has their `write`; see choice.test.ts.
    'process.stdout',
    'process.stderr',
    // Its performance is an EventTarget that has no events.
    'performance.addEventListener',
    'performance.removeEventListener',
    'performance.dispatchEvent',
    // For V8's inspector; the words are too common to look into every program that has them.
    'console.context',
    'console.createTask',
  ];
  const finding = (text: string) => scanParsed(text, 'script', false).findings[0]?.what;

  test('names every global of this node that an isolate has not, and no other', async () => {
    const { globals } = await inIsolate;
    const refused = [...new Set([...globals, ...inNode.globals])].filter((name) => finding(`typeof ${name}`) !== undefined);
    assert.deepEqual(refused.toSorted(), inNode.globals.filter((name) => !globals.includes(name)).toSorted());
  });

  for (const object of objects) {
    test(`names every member of node's ${object} that an isolate's has not, and no other`, async () => {
      const { members } = await inIsolate;
      const provided = members[object] ?? [];
      const asked = (inNode.members[object] ?? []).filter((name) => !exceptions.includes(`${object}.${name}`));
      const refused = asked.filter((name) => finding(`${object}.${name}`) !== undefined);
      assert.deepEqual(
        refused,
        asked.filter((name) => !provided.includes(name)),
      );
      assert.ok(provided.length > 0);
    });
  }

  test('never lacks more than the search for words finds', () => {
    const words = lackedWords(false);
    const atoms = [
      'Buffer',
      'process',
      'process.env',
      'process.stdout',
      'crypto.subtle',
      'performance',
      'URL.createObjectURL',
      'globalThis.File',
      'URL[x]',
    ];
    const shapes = [
      '%',
      'typeof %',
      'f(%)',
      'const { a } = %',
      '%.write',
      '%?.b',
      '`${%}`',
      'class A extends % {}',
      '({ % })',
      '%["on"]',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...atoms), fc.constantFrom(...shapes), (atom, shape) => {
        const text = shape.replace('%', atom);
        fc.pre(parses(text));
        if (scanParsed(text, 'script', false).findings.length > 0) assert.match(text, words);
      }),
    );
  });
});
