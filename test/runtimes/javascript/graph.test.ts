import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { loadProgram } from '../../../runtimes/javascript/load.ts';
import type { Program } from '../../../src/model/task.ts';
import { fixtures, isolateProgram, node, programOf, runProgram, tree } from './support.ts';

/** Prints, a line each, which file node finds for a specifier, and what it takes a file for. */
const tracer = `
import { registerHooks } from 'node:module';
registerHooks({
  resolve(specifier, context, next) {
    const result = next(specifier, context);
    trace.push(['resolve', context.parentURL, specifier, result.url]);
    return result;
  },
  load(url, context, next) {
    const result = next(url, context);
    trace.push(['load', url, result.format]);
    return result;
  },
});
const trace = [];
process.on('exit', () => console.log('\\n' + JSON.stringify(trace)));
`;

type Trace = readonly (
  | readonly ['resolve', parent: string | undefined, specifier: string, url: string]
  | readonly ['load', url: string, format: string]
)[];

/** The graph as node itself resolves it, in the form of ours. */
async function graphOfNode(entry: string): Promise<Record<string, { format: string; imports: Record<string, string> }>> {
  const hooks = `data:text/javascript,${encodeURIComponent(tracer)}`;
  const output = await node(['--no-warnings', '--import', hooks, entry]);
  const trace = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Trace;
  const graph: Record<string, { format: string; imports: Record<string, string> }> = {};
  const at = (url: string) => (graph[fileURLToPath(url)] ??= { format: '', imports: {} });
  for (const event of trace) {
    if (event[0] === 'load') at(event[1]).format = event[2] === 'commonjs' ? 'script' : event[2];
    else if (event[1]?.startsWith('file:')) at(event[1]).imports[event[2]] = fileURLToPath(event[3]);
  }
  return graph;
}

function shapeOf({ modules }: Program): Record<string, { format: string; imports: Record<string, string> }> {
  return Object.fromEntries(
    Object.entries(modules).map(([path, { format, imports }]) => [path, { format, imports: { ...imports } }]),
  );
}

describe('JavaScript resolves as in node', () => {
  const main = join(fixtures, 'modules/main.js');

  test('the same files in the same formats', async () => {
    assert.deepEqual(shapeOf(await isolateProgram(main)), await graphOfNode(main));
  });

  test('a program built from them prints the same', async () => {
    assert.equal(await runProgram(await isolateProgram(main)), await node(['--no-warnings', main]));
  });

  test('links are followed, for the entry and for imports', async () => {
    const directory = tree({
      'real/main.js': "import './dep.js'; import './link.js';",
      'real/dep.js': 'export {}',
      'far/x.js': "import './y.js'",
    });
    symlinkSync('../far/x.js', join(directory, 'real/link.js'));
    symlinkSync('real/main.js', join(directory, 'main.js'));
    const [far, entry] = [join(directory, 'far/y.js'), join(directory, 'main.js')];
    assert.deepEqual(await loadProgram(entry, {}), {
      choice: 'fails',
      message: `${join(directory, 'far/x.js')}:1 imports './y.js', but ${far} does not exist\n`,
    });
  });

  test('absolute paths and file URLs', async () => {
    const directory = tree({ 'package.json': '{"type":"module"}', 'dep one.js': 'export {}', 'two.mjs': '' });
    const entry = join(directory, 'main.mjs');
    const [one, two] = [pathToFileURL(join(directory, 'dep one.js')).href, join(directory, 'two.mjs')];
    writeFileSync(entry, `import ${JSON.stringify(one)}; import ${JSON.stringify(two)};`);
    assert.deepEqual(shapeOf(await isolateProgram(entry)), await graphOfNode(entry));
  });

  test('the nearest package.json decides, an unusual type in it means none', async () => {
    const files = {
      'package.json': '{"type":"module"}',
      'a/package.json': '{"type":"strange"}',
      'a/x.js': 'await 1; export {}',
      'node_modules/x.js': 'export {}',
      'main.js': "import './a/x.js'; import './node_modules/x.js'",
    };
    const entry = join(tree(files), 'main.js');
    assert.deepEqual(shapeOf(await isolateProgram(entry)), await graphOfNode(entry));
  });

  test('no extension is guessed and no directory is entered', async () => {
    const directory = tree({ 'main.js': "import './lib'", 'lib/index.js': '' });
    const loaded = await loadProgram(join(directory, 'main.js'), {});
    assert.deepEqual(loaded, {
      choice: 'fails',
      message: `${directory}/main.js:1 imports './lib', which is a directory; did you mean './lib/index.js'?\n`,
    });
    await assert.rejects(node([join(directory, 'main.js')]), /ERR_UNSUPPORTED_DIR_IMPORT/);
  });
});

describe('TypeScript resolves as its compilers do', () => {
  const main = join(fixtures, 'typescript/src/main.ts');
  const src = (name: string) => join(fixtures, 'typescript/src', name);

  test('without extensions, by the name of the output, by index files and by paths', async () => {
    const program = await isolateProgram(main);
    assert.deepEqual(program.modules[main]?.imports, {
      './shapes': src('shapes.ts'),
      './color.js': src('color.ts'),
      '@/label': src('label.ts'),
      './parts': src('parts/index.ts'),
      exact: src('parts/index.ts'),
      './view': src('view.tsx'),
      './vector.mjs': src('vector.mts'),
      './settings.json': src('settings.json'),
      './late': src('late.ts'),
    });
  });

  test('enums, namespaces, decorators, accessors, parameter properties and JSX run', async () => {
    assert.equal(
      await runProgram(await isolateProgram(main)),
      '9 1 Green fast X\nlabel:box value,describe inner true <b>text</b> 5 3\n42\n',
    );
  });

  test('what exists is taken before what a compiler would have made it from', async () => {
    const directory = tree({ 'main.ts': "import './a.js'; import './b'", 'a.js': 'export {}', 'a.ts': '', b: '', 'b.ts': '' });
    const { modules } = await isolateProgram(join(directory, 'main.ts'), { force: true });
    assert.deepEqual(Object.keys(modules).slice(1), [join(directory, 'a.js'), join(directory, 'b')]);
  });

  test('of several patterns in paths the longest prefix wins, and its targets are tried in order', async () => {
    const directory = tree({
      'tsconfig.json':
        '{"compilerOptions":{"baseUrl":"lib","paths":{"*":["none/*"],"a/*":["wrong/*"],"a/b/*":["none/*","right/*"]}}}',
      'lib/right/c.ts': '',
      'lib/wrong/b/c.ts': '',
      'main.ts': "import 'a/b/c'",
    });
    assert.ok(join(directory, 'lib/right/c.ts') in (await isolateProgram(join(directory, 'main.ts'))).modules);
  });

  test('a tsconfig.json that does not parse is named', async () => {
    const directory = tree({ 'tsconfig.json': '{"compilerOptions":', 'main.ts': '' });
    const loaded = await loadProgram(join(directory, 'main.ts'), {});
    assert.equal(loaded.choice, 'fails');
    assert.match(loaded.message, /tsconfig\.json is not a configuration of TypeScript: Unexpected token/);
  });

  test('source maps lead from every throw to its line', async () => {
    const path = src('throws.ts');
    const { code = '', map = '' } = (await isolateProgram(path)).modules[path] ?? {};
    const sourceMap = new SourceMap(JSON.parse(map));
    const origins = code.split('\n').flatMap((text, line) => {
      const column = text.indexOf('throw new');
      if (column < 0) return [];
      const entry = sourceMap.findEntry(line, column);
      return 'originalLine' in entry ? [[entry.originalSource, entry.originalLine + 1, entry.originalColumn + 1]] : [];
    });
    assert.deepEqual(origins, [
      [path, 12, 3],
      [path, 19, 5],
    ]);
  });
});

describe('a program without a file', () => {
  test('imports from the directory that its name is in', async () => {
    const directory = tree({ 'dep.mjs': 'export const x = 1' });
    const entry = join(directory, '[exec].js');
    const program = await isolateProgram(entry, { source: "import { x } from './dep.mjs'" });
    assert.deepEqual(program.modules[entry]?.imports, { './dep.mjs': join(directory, 'dep.mjs') });
  });

  test('is told by its syntax, whatever package it would be in', async () => {
    const entry = join(tree({ 'package.json': '{"type":"module"}' }), '[exec].js');
    assert.equal((await isolateProgram(entry, { source: 'console.log(1)' })).modules[entry]?.format, 'script');
    assert.equal((await isolateProgram(entry, { source: 'await 1' })).modules[entry]?.format, 'module');
  });

  test('needs node when it uses the modules that node gives to inline code', async () => {
    const entry = join(tree({}), '[exec].js');
    const loaded = await loadProgram(entry, { source: 'console.log(os.cpus())' });
    assert.equal(loaded.choice, 'node');
    assert.match(loaded.why, /uses os \(a module that node hands to inline code\)/);
    assert.equal((await loadProgram(entry, { source: 'const os = 1; console.log(os)' })).choice, 'isolate');
  });

  test('may be TypeScript', async () => {
    const entry = join(tree({}), '[exec].ts');
    assert.equal((await isolateProgram(entry, { source: 'enum A { B } console.log(A.B)' })).modules[entry]?.format, 'module');
  });
});

describe('an isolate by force', () => {
  const force = { force: true };

  test('is taken whatever the program uses', async () => {
    const entry = join(tree({ 'main.js': 'Buffer; import(name); import("node:fs"); import("./gone.js")' }), 'main.js');
    const { modules } = await isolateProgram(entry, force);
    assert.equal(modules[entry]?.code, 'Buffer; $impt$(name); $impt$("node:fs"); $impt$("./gone.js")');
    assert.deepEqual(modules[entry]?.imports, {});
  });

  test('is taken for a source that does not parse, so that V8 reports it', async () => {
    const entry = join(tree({ 'main.js': 'import "./x.js"\nlet a = ; Buffer', 'x.js': 'export {}' }), 'main.js');
    assert.equal((await isolateProgram(entry, force)).modules[entry]?.format, 'module');
  });

  test('is refused when an import has nothing to become', async () => {
    const entry = join(tree({ 'main.js': '\nimport "node:fs"' }), 'main.js');
    await assert.rejects(loadProgram(entry, force), {
      code: 'cannot_run',
      message: `${entry}:2 imports 'node:fs': no isolate can run that; run it with --runtime node`,
    });
  });
});

test('the files of a program are its modules and all that decided about them', async () => {
  const directory = tree({
    'package.json': '{"type":"module"}',
    'tsconfig.json': '{}',
    'main.ts': "import './a.js'",
    'a.js': '',
  });
  const loaded = await loadProgram(join(directory, 'main.ts'), {});
  assert.ok(programOf(loaded) && loaded.choice === 'isolate');
  assert.deepEqual(loaded.files.map((file) => file.slice(directory.length + 1)).sort(), [
    'a.js',
    'main.ts',
    'package.json',
    'tsconfig.json',
  ]);
});

test('a file that does not exist cannot be run', async () => {
  await assert.rejects(loadProgram(join(tree({}), 'gone.js'), {}), { code: 'cannot_run', message: /gone\.js does not exist/ });
});

test('a directory cannot be run in an isolate', async () => {
  assert.match(JSON.stringify(await loadProgram(tree({}), {})), /is not a regular file/);
});
