import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadProgram } from '../../../runtimes/javascript/load.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'prisn-choice-')));
process.chdir(directory);
after(() => rmSync(directory, { recursive: true }));
mkdirSync(join(directory, 'commonjs'));
writeFileSync(join(directory, 'commonjs/package.json'), '{"type":"commonjs"}');
mkdirSync(join(directory, 'broken'));
writeFileSync(join(directory, 'broken/package.json'), '{"type":');
for (const [name, text] of Object.entries({
  'x.mjs': 'export const x = 1;',
  'x.cjs': 'globalThis.x = 1;',
  'd.json': '{"a":1}',
  'bad.json': '{',
}))
  writeFileSync(join(directory, name), text);

/** What the choice is: an isolate and the entry's format, or node and what `why` says after the place. */
async function choice(name: string, source: string): Promise<string> {
  const file = join(directory, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
  const loaded = await loadProgram(file, {});
  switch (loaded.choice) {
    case 'isolate':
      return `isolate: ${loaded.program.modules[file]?.format}`;
    case 'node':
      return `node: ${loaded.why.replaceAll(`${directory}/`, '').replace(name, '')}`;
    case 'fails':
      return `fails: ${loaded.message.replaceAll(`${directory}/`, '')}`;
  }
}

const script = 'isolate: script';
const module = 'isolate: module';
const commonJs = 'CommonJS is not in isolates';

/** Source, choice; a file other than `x.js` first where it matters. */
const groups: Record<string, readonly (readonly [source: string, expected: string, name?: string])[]> = {
  'formats, as node tells them': [
    ['console.log(1)', script],
    ['', script],
    ['#!/usr/bin/env node\nconsole.log(1)', script],
    ['\uFEFFconsole.log(1)', script],
    ['return; console.log(1)', script],
    ['with ({ a: 1 }) console.log(a, 010)', script],
    ['async function f() { await 1 } f()', script],
    ['await 1', module],
    ['for await (const x of []) ;', module],
    ['await (1)', script],
    ['export default 1', module],
    ['import.meta.url', module],
    ['const require = 1; console.log(require)', module],
    ['class module {}', module],
    ['console.log(1)', module, 'x.mjs'],
    ['console.log(1)', script, 'x.cjs'],
    ['console.log(1)', script, 'no-extension'],
    ['console.log(1)', script, 'commonjs/x.js'],
    ['await 1', script, 'commonjs/x.js'],
    [
      'export {}',
      "node: :1 is not understood ('import' and 'export' may appear only with 'sourceType: module')",
      'commonjs/x.js',
    ],
    ['console.log(1)', 'node:  belongs to broken/package.json, which is not JSON', 'broken/x.js'],
    ['console.log(1)', 'node:  is of a kind that only node may know', 'x.txt'],
  ],
  'globals that an isolate lacks': [
    ['console.log(Buffer.from("a"))', "node: :1 uses Buffer (node's own class)"],
    ['\n\nif (typeof Buffer) 1', "node: :3 uses Buffer (node's own class)"],
    ['globalThis.Buffer', "node: :1 uses Buffer (node's own class)"],
    ['globalThis["Buffer"]', "node: :1 uses Buffer (node's own class)"],
    ['global?.Buffer', "node: :1 uses Buffer (node's own class)"],
    ['globalThis.globalThis.Buffer', "node: :1 uses Buffer (node's own class)"],
    ['const { Buffer: B } = globalThis', "node: :1 uses Buffer (node's own class)"],
    ['"Buffer" in globalThis', "node: :1 uses Buffer (node's own class)"],
    ['require("fs")', `node: :1 uses require (${commonJs})`],
    ['typeof require', `node: :1 uses require (${commonJs})`],
    ['if (typeof module !== "undefined") module.exports = {}', `node: :1 uses module (${commonJs})`],
    ['exports.a = 1', `node: :1 uses exports (${commonJs})`],
    ['var module = module || {}', `node: :1 uses module (${commonJs})`],
    ['console.log(__dirname)', `node: :1 uses __dirname (${commonJs})`],
    ['export default __filename', `node: :1 uses __filename (${commonJs})`],
    ['console.log(arguments.length)', "node: :1 uses arguments (the arguments of node's CommonJS wrapper)"],
    ['setImmediate(() => {})', "node: :1 uses setImmediate (a phase of node's event loop)"],
    ['new ReadableStream()', 'node: :1 uses ReadableStream (web streams are not in isolates)'],
    ['new WebSocket("")', 'node: :1 uses WebSocket (of the network, isolates have fetch)'],
    ['new TextDecoderStream()', 'node: :1 uses TextDecoderStream (web streams are not in isolates)'],
    ['new Worker("")', 'node: :1 uses Worker (an isolate has no threads to talk to)'],
    ['navigator.hardwareConcurrency', 'node: :1 uses navigator (an isolate has no machine or disk)'],
    ['class A extends MessagePort {}', 'node: :1 uses MessagePort (an isolate has no threads to talk to)'],
    ['({ a = Buffer } = {})', "node: :1 uses Buffer (node's own class)"],
    ['{ let Buffer } Buffer', "node: :1 uses Buffer (node's own class)"],
    ['(function Buffer() {}); Buffer', "node: :1 uses Buffer (node's own class)"],
    ['try {} catch (Buffer) {} Buffer', "node: :1 uses Buffer (node's own class)"],
    ['x = { Buffer }', "node: :1 uses Buffer (node's own class)"],
    ['x = { [Buffer]: 1 }', "node: :1 uses Buffer (node's own class)"],
  ],
  'the same words where they mean nothing': [
    ['"Buffer"; `Buffer`; /Buffer/; // Buffer', script],
    ['x = { Buffer: 1, require() {} }; x.Buffer; x?.module', script],
    ['const Buffer = 1; console.log(Buffer)', script],
    ['console.log(typeof hoisted); var hoisted; function f() { return Buffer } var Buffer', script],
    ['function f(Buffer, { module }, [exports = Buffer], ...require) { return Buffer + module }', script],
    ['(function Buffer() { return Buffer })', script],
    ['const f = (module, exports) => { module.exports = exports }', script],
    ['try {} catch ({ Buffer }) { Buffer }', script],
    ['for (const Worker of []) Worker', script],
    ['class Storage { Storage = Storage; static { var Worker; Worker } }', script],
    ['Buffer: for (;;) break Buffer', script],
    ['function f() { return arguments }', script],
    ['import { Buffer } from "./x.mjs"; Buffer', module],
    ['const Buffer = 1; export { Buffer as require }', module],
    ['export * as Buffer from "./x.mjs"', module],
    ['// import fs from "fs"; require("fs")', script],
    ['globalThis.mine = 1; console.log(global.mine, typeof globalThis, globalThis === global)', script],
  ],
  'objects of which an isolate has a part': [
    ['process.exit(process.argv.length + process.env.A + process.exitCode + process.cwd())', script],
    ['process.stdout.write("a"); process.stderr["write"]("b")', script],
    ['const { env: { A }, argv, stdout: { write } } = process', script],
    ['if (typeof process !== "undefined" && process.env) 1', script],
    ['Promise.resolve(1).then(process.exit)', script],
    ['globalThis.process?.env', script],
    ['process.on("exit", () => {})', 'node: :1 uses process.on (an isolate is not a process)'],
    ['process.stdout.isTTY', 'node: :1 uses process.stdout.isTTY (an isolate is not a process)'],
    ['const out = process.stdout', 'node: :1 uses process.stdout (an isolate is not a process)'],
    ['process["nextTick"](f)', 'node: :1 uses process.nextTick (an isolate is not a process)'],
    ['process[name]', 'node: :1 uses process.[…] (an isolate is not a process)'],
    ['console.log(process)', 'node: :1 hands on process (an isolate is not a process)'],
    ['const { pid } = process', 'node: :1 uses process.pid (an isolate is not a process)'],
    ['const { env, ...rest } = process', 'node: :1 uses process.[…] (an isolate is not a process)'],
    ['(function () { ({ hrtime: x } = process) })()', 'node: :1 uses process.hrtime (an isolate is not a process)'],
    ['performance.now() + performance.timeOrigin', script],
    [
      'performance.mark("a"); performance.measure("b", "a"); performance.getEntriesByType("mark"); performance.clearMarks()',
      script,
    ],
    [
      'performance.eventLoopUtilization()',
      'node: :1 uses performance.eventLoopUtilization (of performance, isolates have the clock, marks and measures)',
    ],
    ['new Blob(["a"]); new File([], "b"); new FormData(); new QuotaExceededError("c")', script],
    ['crypto.randomUUID(); crypto.getRandomValues(new Uint8Array(1))', script],
    ['crypto.subtle.digest', 'node: :1 uses crypto.subtle (of crypto, isolates have random values)'],
    ['URL.canParse("a"); new URL("a:b")', script],
    ['URL.createObjectURL(x)', 'node: :1 uses URL.createObjectURL (an isolate has no store of blobs)'],
    ['const { Console } = console', "node: :1 uses console.Console (a class of node's)"],
    ['Object.keys(globalThis)', 'node: :1 hands on globalThis, which could be used for anything'],
    ['globalThis[name]', 'node: :1 hands on globalThis, which could be used for anything'],
    ['import.meta.filename + import.meta.dirname + import.meta.main', module],
    ['import.meta.resolve("./x")', 'node: :1 uses import.meta.resolve (not in isolates)'],
    ['export default import.meta', 'node: :1 hands on import.meta (not in isolates)'],
    ['import . meta.url', 'node: :1 spreads import.meta over more than one word'],
  ],
  imports: [
    ['import "./x.mjs"; import d from "./d.json" with { type: "json" }', module],
    ['import d from "./d.json"', module],
    ['import("./x.mjs"); import(`./x.mjs`); import("./d.json", { with: { type: "json" } })', script],
    ['export * from "./x.mjs"; export { x as y } from "./x.mjs"', module],
    ['import fs from "node:fs"', "node: :1 imports 'node:fs'"],
    ['import fs from "fs"', "node: :1 imports 'fs'"],
    ['\nimport _ from "lodash"', "node: :2 imports 'lodash'"],
    ['import "#x"', "node: :1 imports '#x'"],
    ['import "data:text/javascript,1"', "node: :1 imports 'data:text/javascript,1'"],
    ['export * from "node:path"', "node: :1 imports 'node:path'"],
    ['import("node:fs")', "node: :1 imports 'node:fs'"],
    ['import("./" + name)', 'node: :1 imports what only its run can tell'],
    ['import(`./${name}`)', 'node: :1 imports what only its run can tell'],
    ['import("./d.json", options)', "node: :1 imports './d.json' with options other than json's"],
    ['import "./x.mjs?v=1"', "node: :1 imports './x.mjs?v=1', an address with a query"],
    ['import "./x.mjs#a"', "node: :1 imports './x.mjs#a', an address with a fragment"],
    ['import "./a%2fb.mjs"', "node: :1 imports './a%2fb.mjs', which is not a path"],
    ['import "./x.mjs" with { type: "css" }', "node: :1 imports './x.mjs' with attributes other than json's"],
    ['import x from "./x.cjs"', 'node: x.cjs is CommonJS and imported'],
    ['import d from "./bad.json"', 'node: bad.json is not JSON'],
    ['import source x from "./x.wasm"', 'node: :1 is not understood (Unexpected token)'],
    ['import("./gone.js")', "node: :1 imports './gone.js', but gone.js does not exist"],
    ['import "./gone.js"', "fails: x.js:1 imports './gone.js', but gone.js does not exist\n"],
    ['import "./x"', "fails: x.js:1 imports './x', but x does not exist; did you mean './x.js'?\n"],
    ['import "./broken"', "fails: x.js:1 imports './broken', which is a directory\n"],
  ],
  'what cannot be analysed': [
    ['let a = ;', 'isolate: script'],
    ['let a = ; Buffer', 'node: :1 is not understood (Unexpected token)'],
    [`x = ${'['.repeat(1e5)}${']'.repeat(1e5)}; Buffer`, 'node: :1 is not understood (Not enough stack space to parse input)'],
    ['const $impt$ = 1', 'node: :1 has the name $impt$, which prisn keeps for itself'],
    [`${' '.repeat(5 * 2 ** 20)}console.log(1)`, script],
    [`${' '.repeat(5 * 2 ** 20)}import "fs"`, "node:  is too large to be analysed, and has the word 'import'"],
  ],
  typescript: [
    ['const a: number = 1; console.log(a)', module, 'x.ts'],
    ['enum E { A } namespace N { export const a = 1 } console.log(E.A, N.a)', module, 'x.ts'],
    ['import type { T } from "fs"; import { U } from "lodash"; let x: T | U', module, 'x.ts'],
    ['import { U } from "lodash"; console.log(U)', "node: :1 imports 'lodash'", 'x.ts'],
    ['interface A {}\n\nconst a = (x: A) => Buffer', "node: :3 uses Buffer (node's own class)", 'x.ts'],
    ['export = 1', `node: :1 uses module (${commonJs})`, 'x.ts'],
    ['import fs = require("fs"); fs.x', `node: :1 uses require (${commonJs})`, 'x.ts'],
    ['function d(x: any, c: any) {} @d class A { @d accessor a = 1 }', module, 'x.ts'],
    ['export const a = <b>c</b>', module, 'x.tsx'],
    ['export const a = <T,>(x: T) => x', module, 'x.tsx'],
    ['export const a = <b>c</b>', module, 'x.jsx'],
    ['await Buffer', 'node: :1 is not understood (Unexpected token)', 'x.cts'],
    ['let a: = 1;', 'fails: x.ts:1\nlet a: = 1;\n       ^\n\nSyntaxError: Unexpected "="\n', 'x.ts'],
  ],
};

for (const [group, cases] of Object.entries(groups)) {
  describe(group, () => {
    for (const [source, expected, name = 'x.js'] of cases) {
      test(`${name}: ${JSON.stringify(source.trim().slice(0, 90))} → ${expected}`, async () => {
        assert.equal(await choice(name, source), expected);
      });
    }
  });
}
