import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Loaded, type LoadOptions, loadProgram } from '../../../runtimes/javascript/load.ts';
import { fixtures, node, programOf, tree } from './support.ts';

const project = {
  'package.json': '{"type":"module"}',
  'main.ts': "import { dep } from './lib/dep';\nconsole.log(dep as number);",
  'lib/dep.ts': 'export const dep: number = 1;',
};

/** A project and its cache; `load` tells whether the verdict came from the cache. */
function setUp(files: Readonly<Record<string, string>> = project, options: LoadOptions = {}) {
  const directory = tree(files);
  const cacheDir = join(tree({}), 'cache');
  const path = (name: string) => join(directory, name);
  const stored = () => join(cacheDir, 'programs', readdirSync(join(cacheDir, 'programs'))[0] ?? '');
  const load = async (name = 'main.ts'): Promise<Loaded & { kept: boolean }> => {
    markStored(cacheDir);
    const loaded = await loadProgram(path(name), { cacheDir, ...options });
    return { ...loaded, kept: JSON.stringify(loaded).includes(mark) };
  };
  return { directory, cacheDir, path, stored, load };
}

/** Something that only a verdict from the cache can hold. */
const mark = '/* kept */';
function markStored(cacheDir: string): void {
  for (const name of namesIn(join(cacheDir, 'programs'))) {
    const path = join(cacheDir, 'programs', name);
    if (!lstatSync(path).isFile()) continue;
    const text = readFileSync(path, 'utf8');
    if (text.includes(mark)) continue;
    writeFileSync(path, text.replaceAll('"code":"', `"code":"${mark}`).replaceAll('"what":"', `"what":"${mark}`));
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** As if nobody had touched the files for an hour, so that their stats alone are trusted. */
function settle(...paths: string[]): void {
  const anHourAgo = Date.now() / 1000 - 3600;
  for (const path of paths) utimesSync(path, anHourAgo, anHourAgo);
}

describe('a verdict is used again', () => {
  test('while nothing has changed', async () => {
    const { load } = setUp();
    assert.equal((await load()).kept, false);
    assert.equal((await load()).kept, true);
  });

  test('for node as for isolates', async () => {
    const { load } = setUp({ 'main.ts': 'Buffer' });
    assert.equal((await load()).choice, 'node');
    const second = await load();
    assert.equal(second.choice, 'node');
    assert.equal(second.kept, true);
  });

  test('after a touch, and after a change that was taken back', async () => {
    const { load, path } = setUp();
    await load();
    settle(path('lib/dep.ts'));
    assert.equal((await load()).kept, true);
    writeFileSync(path('main.ts'), 'other');
    writeFileSync(path('main.ts'), project['main.ts']);
    assert.equal((await load()).kept, true);
  });

  test('with the same list of files', async () => {
    const { load } = setUp();
    const [first, second] = [await load(), await load()];
    assert.deepEqual('files' in second && second.files, 'files' in first && first.files);
  });

  test('and neither acorn nor esbuild is loaded for it', async () => {
    const { load } = setUp();
    await load();
    const seen: string[] = [];
    const hooks = registerHooks({ resolve: (specifier, context, next) => (seen.push(specifier), next(specifier, context)) });
    await load();
    hooks.deregister();
    assert.deepEqual(
      seen.filter((specifier) => /acorn|esbuild|graph/.test(specifier)),
      [],
    );
  });
});

describe('a verdict is made anew', () => {
  const changes: Record<string, (at: (name: string) => string) => void> = {
    'when the entry was edited': (at) => appendFileSync(at('main.ts'), '\n'),
    'when a dependency was edited': (at) => writeFileSync(at('lib/dep.ts'), 'export const dep: number = 2;'),
    'when a dependency was edited and looks untouched': (at) => {
      const { atime, mtime } = statSync(at('lib/dep.ts'));
      writeFileSync(at('lib/dep.ts'), 'export const dep: number = 3;');
      utimesSync(at('lib/dep.ts'), atime, mtime);
    },
    'when a file appeared that comes earlier in the search': (at) => writeFileSync(at('lib/dep'), 'export const dep = 4;'),
    'when a nearer package.json appeared': (at) => writeFileSync(at('lib/package.json'), '{"type":"commonjs"}'),
    'when the package.json was edited': (at) => writeFileSync(at('package.json'), '{"type":"commonjs"}'),
    'when a tsconfig.json appeared': (at) => writeFileSync(at('tsconfig.json'), '{}'),
    'when a dependency became a link to a file of the same content': (at) => {
      writeFileSync(at('same.ts'), project['lib/dep.ts']);
      unlinkSync(at('lib/dep.ts'));
      symlinkSync(at('same.ts'), at('lib/dep.ts'));
    },
  };
  for (const [title, change] of Object.entries(changes)) {
    test(title, async () => {
      // JavaScript asks for the package.json of its directory.
      const { load, path } = setUp({
        ...project,
        'main.ts': `${project['main.ts']}\nimport './lib/plain.js';`,
        'lib/plain.js': 'export {};',
      });
      await load();
      assert.equal((await load()).kept, true);
      change(path);
      assert.equal((await load()).kept, false);
    });
  }

  test('when a dependency was deleted', async () => {
    const { load, path } = setUp();
    await load();
    rmSync(path('lib/dep.ts'));
    assert.equal((await load()).choice, 'fails');
  });

  test('for another question: force, or other inline code', async () => {
    const cacheDir = tree({});
    const entry = join(tree({}), '[exec].ts');
    const programs = [];
    for (const options of [
      { source: 'let a: 1; globalThis' },
      { source: 'let a: 2; globalThis' },
      { source: 'let a: 1; globalThis', force: true },
    ]) {
      programs.push((await loadProgram(entry, { cacheDir, ...options })).choice);
    }
    assert.deepEqual(programs, ['node', 'node', 'isolate']);
    assert.equal(readdirSync(join(cacheDir, 'programs')).length, 3);
  });
});

describe('a verdict is made anew by another judge', () => {
  /** Loads the project with the loader of another checkout, in a process of its own. */
  async function loadBy(checkout: string, file: string, cacheDir: string, version = process.version): Promise<boolean> {
    markStored(cacheDir);
    const code = `
      Object.defineProperty(process, 'version', { value: ${JSON.stringify(version)} });
      const { loadProgram } = await import(${JSON.stringify(join(checkout, 'runtimes/javascript/load.ts'))});
      console.log(JSON.stringify(await loadProgram(${JSON.stringify(file)}, { cacheDir: ${JSON.stringify(cacheDir)} })));`;
    const loaded = await node(['--input-type=module', '--eval', code]);
    assert.match(loaded, /"choice":"isolate"/);
    return loaded.includes(mark);
  }

  /** @returns a copy of what the loader consists of */
  function checkOut(): string {
    const root = join(import.meta.dirname, '../../..');
    const checkout = tree({});
    for (const folder of ['runtimes', 'src/base', 'src/model'])
      cpSync(join(root, folder), join(checkout, folder), { recursive: true });
    cpSync(join(root, 'package.json'), join(checkout, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
    return checkout;
  }

  test('when a source that judges was edited, at the same version of prisn', async () => {
    const { path, cacheDir } = setUp();
    const checkout = checkOut();
    assert.equal(await loadBy(checkout, path('main.ts'), cacheDir), false);
    assert.equal(await loadBy(checkout, path('main.ts'), cacheDir), true);
    appendFileSync(join(checkout, 'runtimes/javascript/lacks.ts'), '\n');
    assert.equal(await loadBy(checkout, path('main.ts'), cacheDir), false);
  });

  test('under another version of node, and kept for the first', async () => {
    const { path, cacheDir } = setUp();
    const checkout = checkOut();
    assert.equal(await loadBy(checkout, path('main.ts'), cacheDir), false);
    assert.equal(await loadBy(checkout, path('main.ts'), cacheDir, 'v99.0.0'), false);
    assert.equal(await loadBy(checkout, path('main.ts'), cacheDir), true);
  });

  test('in another checkout', async () => {
    const { path, cacheDir } = setUp();
    assert.equal(await loadBy(checkOut(), path('main.ts'), cacheDir), false);
    assert.equal(await loadBy(checkOut(), path('main.ts'), cacheDir), false);
  });
});

describe('a file of the cache is ignored', () => {
  const damages: Record<string, (path: string) => void> = {
    'when it is cut off': (path) => writeFileSync(path, readFileSync(path, 'utf8').slice(0, -20)),
    'when it is empty': (path) => writeFileSync(path, ''),
    'when it is JSON of another kind': (path) => writeFileSync(path, '[null]'),
    'when it answers another question': (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('main.ts', 'mine.ts')),
    'when it has no verdict': (path) =>
      writeFileSync(path, readFileSync(path, 'utf8').replace('"choice":"isolate"', '"choice":"other"')),
    'when others may write it': (path) => chmodSync(path, 0o666),
    'when it is a link, even to a good one': (path) => {
      renameSync(path, `${path}.real`);
      symlinkSync(`${path}.real`, path);
    },
    'when it is a pipe, which nobody writes to': (path) => {
      rmSync(path);
      execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
    },
    'when it is a directory': (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  };
  for (const [title, damage] of Object.entries(damages)) {
    test(title, async () => {
      const { load, stored } = setUp();
      await load();
      assert.equal((await load()).kept, true);
      damage(stored());
      const loaded = await load();
      assert.equal(loaded.kept, false);
      assert.equal(loaded.choice, 'isolate');
    });
  }
});

describe('the directory of the cache', () => {
  test('belongs to its user alone, and so do its files', async () => {
    const { load, cacheDir, stored } = setUp();
    await load();
    assert.equal(statSync(join(cacheDir, 'programs')).mode & 0o777, 0o700);
    assert.equal(statSync(stored()).mode & 0o777, 0o600);
  });

  test('may be unusable', async () => {
    const { path } = setUp();
    const file = join(tree({ file: '' }), 'file');
    assert.equal((await loadProgram(path('main.ts'), { cacheDir: file })).choice, 'isolate');
  });

  test('keeps no verdict of a program that fails', async () => {
    const { load, cacheDir } = setUp({ 'main.ts': 'let a: = 1' });
    assert.equal((await load()).choice, 'fails');
    assert.deepEqual(namesIn(join(cacheDir, 'programs')), []);
  });

  test('does not grow beyond 500 files: the oldest go', async () => {
    const others = Object.fromEntries(Array.from({ length: 520 }, (_, i) => [`programs/${i}.json`, '{}']));
    const cacheDir = tree(others);
    for (const name of Object.keys(others)) settle(join(cacheDir, name));
    const { path } = setUp();
    await loadProgram(path('main.ts'), { cacheDir });
    const left = readdirSync(join(cacheDir, 'programs'));
    assert.ok(left.length <= 500, `${left.length} files are left`);
    assert.equal(left.filter((name) => !(`programs/${name}` in others)).length, 1);
  });
});

describe('a source without a suspicious word', () => {
  test('is loaded without a parser and without the cache', async () => {
    const { path, cacheDir } = setUp({ 'main.js': "console.log('hello', process.argv.length); async () => { await 1 }" });
    const seen: string[] = [];
    const hooks = registerHooks({ resolve: (specifier, context, next) => (seen.push(specifier), next(specifier, context)) });
    const loaded = await loadProgram(path('main.js'), { cacheDir });
    hooks.deregister();
    assert.equal(programOf(loaded).modules[path('main.js')]?.format, 'script');
    assert.deepEqual(seen, []);
    assert.deepEqual(namesIn(cacheDir), []);
  });
});

test('the fixtures come out of the cache as they went in', async () => {
  const cacheDir = tree({});
  for (const name of ['modules/main.js', 'typescript/src/main.ts']) {
    const first = await loadProgram(join(fixtures, name), { cacheDir });
    assert.deepEqual(await loadProgram(join(fixtures, name), { cacheDir }), first);
  }
});
