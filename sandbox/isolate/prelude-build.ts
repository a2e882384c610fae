/**
 * Makes scripts of the guest's modules: a core with all that `guest/prelude.ts` imports, and a part of each other module.
 *
 * Each module is a CommonJS function, so that nothing of it exists in a context before it is evaluated; a bundler would
 * make the functions of all of them in each. V8 compiles a function in parentheses at once, which puts it into the cache.
 */
import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { nodeSource, nodeSourcePrefix } from './node-sources.ts';

/** In ASCII. */
export interface PreludeSources {
  /** A script whose value is `boot` of the entry, with `ahead` and, to give it parts, `define` as its properties. */
  readonly core: string;
  /** Of each module its function, by the id of the module. */
  readonly parts: ReadonlyMap<string, string>;
}

/** The module that the core is made of, with all that it imports. */
const entry = 'prelude';

interface Module {
  /** Minified. */
  readonly body: string;
  /** Ids of the modules that it imports, and does not only require when it comes to that. */
  readonly imports: readonly string[];
}

/** @param folder the guest's sources */
export async function buildPrelude(folder: string): Promise<PreludeSources> {
  const modules = new Map<string, Module>();
  for (const file of globSync('**/*.ts', { cwd: folder, exclude: ['**/*.d.ts'] })) {
    const id = file.replace(/\.ts$/, '');
    const code = await commonJs(readFileSync(`${folder}/${file}`, 'utf8'), id);
    const imports = [...code.matchAll(/^(?:const \w+ = )?require\("([^"]+)"\);$/gm)].map(([, imported = '']) => imported);
    modules.set(id, { body: await minified(code), imports });
  }
  for (const id of [...modules.values()].flatMap(({ imports }) => imports)) {
    if (id.startsWith(nodeSourcePrefix))
      modules.set(id, { body: await minified(nodeSource(id.slice(nodeSourcePrefix.length))), imports: [] });
  }
  const core = [...importedBy(entry, modules)];
  const members = core.map((id) => `${JSON.stringify(id)}:${functionOf(id, modules)}`);
  const parts = [...modules.keys()].filter((id) => !core.includes(id)).map((id) => [id, functionOf(id, modules)] as const);
  return { core: runtime.replace('MEMBERS', () => members.join(',')), parts: new Map(parts) };
}

/** A module is evaluated once, unless that fails: a program may have been at the end of its stack. */
const runtime = `(()=>{"use strict";
const loaded={__proto__:null},members={__proto__:null,MEMBERS};
const require=(id)=>{
let exports=loaded[id];
if(exports)return exports;
exports=loaded[id]={};
try{(members[id]??=require("host").host.part(id))(exports,require)}catch(error){delete loaded[id];throw error}
return exports};
const {boot,ahead}=require("${entry}");
return Object.assign(boot,{ahead,define:(id,member)=>{members[id]=member}})})()`;

async function commonJs(code: string, id: string): Promise<string> {
  const { default: typescript } = await import('typescript');
  const { ModuleKind, ScriptTarget } = typescript;
  const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2024 };
  return typescript
    .transpileModule(code, { compilerOptions })
    .outputText.replace('"use strict";\n', '')
    .replace('Object.defineProperty(exports, "__esModule", { value: true });\n', '')
    .replace(/\brequire\((['"])(.+?)\1\)/g, (_, _quote, path: string) => `require(${JSON.stringify(idOf(path, id))})`);
}

/** @param path as the module `importer` writes it */
function idOf(path: string, importer: string): string {
  return path.startsWith('.') ? posix.join(posix.dirname(importer), path.replace(/\.ts$/, '')) : path;
}

async function minified(code: string): Promise<string> {
  const { transform } = await import('esbuild');
  const options = {
    charset: 'ascii',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    target: 'es2024',
  } as const;
  return (await transform(code, options)).code;
}

function moduleOf(id: string, modules: ReadonlyMap<string, Module>): Module {
  const module = modules.get(id);
  if (!module) throw new Error(`the guest has no module ${id}`);
  return module;
}

function functionOf(id: string, modules: ReadonlyMap<string, Module>): string {
  return `(function(exports,require){"use strict";${moduleOf(id, modules).body}})`;
}

/** A module and all that it imports. */
function importedBy(id: string, modules: ReadonlyMap<string, Module>, found = new Set<string>()): Set<string> {
  if (found.has(id)) return found;
  found.add(id);
  for (const imported of moduleOf(id, modules).imports) importedBy(imported, modules, found);
  return found;
}
