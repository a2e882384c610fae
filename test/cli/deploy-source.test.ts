import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deploymentName, describeSource, entrypointOf, sourceOf } from '../../src/cli/deploy-source.ts';
import { Scratch } from '../scratch.ts';

const scratch = new Scratch();

/** @returns the folder's path */
function folder(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) scratch.file(`${name}/${path}`, text);
  return scratch.path(name);
}

async function entrypoint(files: Readonly<Record<string, string>>, asked?: string, deployed?: string): Promise<string> {
  const { packing } = await sourceOf(folder(`project-${Object.keys(files).join('-').replaceAll('/', '_')}`, files), undefined);
  return entrypointOf(packing, asked, deployed);
}

describe('the file of a folder that is run', () => {
  test('is the one asked for', async () => {
    assert.equal(await entrypoint({ 'main.py': '', 'jobs/a.py': '' }, './jobs/a.py'), 'jobs/a.py');
    await assert.rejects(entrypoint({ 'main.py': '' }, 'nothing.py'), /--entrypoint: 'nothing\.py' is not among the files/);
  });

  test('stays the deployed one while it is there', async () => {
    assert.equal(await entrypoint({ 'main.py': '', 'other.py': '' }, undefined, 'other.py'), 'other.py');
    assert.equal(await entrypoint({ 'main.py': '', 'other.py': '' }, undefined, 'gone.py'), 'main.py');
  });

  test('is what package.json calls main, also without its extension', async () => {
    const files = (main: string) => ({ 'package.json': JSON.stringify({ main }), 'index.js': '', 'src/start.js': '' });
    assert.equal(await entrypoint(files('./src/start.js')), 'src/start.js');
    assert.equal(await entrypoint(files('src/start')), 'src/start.js');
  });

  test('is the one with a customary name', async () => {
    assert.equal(await entrypoint({ 'main.py': '', 'util.py': '', 'setup.sh': '' }), 'main.py');
    assert.equal(await entrypoint({ 'index.ts': '', 'index.d.ts': '', 'a.ts': '' }), 'index.ts');
  });

  test('is the only one that can be run', async () =>
    assert.equal(await entrypoint({ 'report.py': '', 'data.txt': '' }), 'report.py'));

  test('has to be said where there are several, and they are named', async () => {
    await assert.rejects(entrypoint({ 'a.py': '', 'b.py': '' }), /it may be a\.py, b\.py; say it: --entrypoint a\.py/);
    await assert.rejects(entrypoint({ 'main.py': '', 'index.js': '' }), /it may be index\.js, main\.py/);
    await assert.rejects(entrypoint({ 'README.txt': '' }), /say it: --entrypoint <path>/);
  });
});

describe('what goes up', () => {
  test('is a file with its local imports and its manifest', async () => {
    const root = folder('imports', {
      'job.py': 'import lib.util\n',
      'lib/__init__.py': '',
      'lib/util.py': '',
      'other.py': '',
      'requirements.txt': '',
    });
    const { packing, entrypoint: file } = await sourceOf(`${root}/job.py`, undefined);
    assert.deepEqual(
      packing.files.map(({ path }) => path),
      ['job.py', 'lib/__init__.py', 'lib/util.py', 'requirements.txt'],
    );
    assert.equal(file, 'job.py');
  });

  test('of a folder is told, and so is what is left out and why', async () => {
    const root = folder('left-out', { 'main.py': '#', 'a.csv': '', '.gitignore': '*.csv\n', 'node_modules/x/index.js': '' });
    const source = await sourceOf(root, undefined);
    assert.equal(
      describeSource(source, false),
      '2 files, 7 bytes: .gitignore, main.py\nleft out: a.csv (ignored by .gitignore), node_modules/ (node_modules never goes up)\n',
    );
  });

  test('is told in full only when that is asked for', async () => {
    const files = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`f${i}.py`, '']));
    const source = await sourceOf(folder('many', files), undefined);
    assert.equal(describeSource(source, false), '9 files, 0 bytes: f0.py, f1.py, f2.py, f3.py, f4.py and 4 more\n');
    assert.match(describeSource(source, true), / {2}f8\.py {2}0 bytes\n/);
  });

  test('of a file that needs what is not there comes with a note', async () => {
    const files = { 'bad.js': "import './nothere.js'; import 'left-pad'" };
    const source = await sourceOf(`${folder('incomplete', files)}/bad.js`, undefined);
    const notes =
      "note: bad.js imports './nothere.js', which is not there; that import will fail\n" +
      "note: bad.js imports 'left-pad', a package: those are installed where it runs and do not come along\n";
    assert.equal(describeSource(source, false), `1 file, 40 bytes: bad.js\n${notes}`);
    assert.equal(describeSource(source, true), `1 file, 40 bytes:\n  bad.js  40 bytes\n${notes}`);
  });

  test('has few of many notes, and all when that is asked for', async () => {
    const imports = Array.from({ length: 7 }, (_, i) => `import './gone${i}.js';`).join('\n');
    const source = await sourceOf(`${folder('lacking', { 'lacking.js': imports })}/lacking.js`, undefined);
    assert.match(describeSource(source, false), /gone4\.js'.*\nnote: and 2 more; -v shows all\n$/);
    assert.equal(describeSource(source, true).match(/^note: /gm)?.length, 7);
  });

  test('must be there', async () => {
    await assert.rejects(sourceOf(scratch.path('missing.py'), undefined), { code: 'cannot_run', message: /does not exist/ });
  });
});

describe('the name of a deployment', () => {
  test('is the one asked for, when it is legal', () => {
    assert.equal(deploymentName('x.py', 'backup-job'), 'backup-job');
    assert.throws(() => deploymentName('x.py', 'exec-1'), /--name: "exec-1" looks like an id/);
  });

  test('is made of the file or the folder', () => {
    assert.equal(deploymentName('/a/My report.v2.py', undefined), 'My-report-v2');
    assert.equal(deploymentName(`${scratch.folder('data.sync')}/`, undefined), 'data-sync');
  });

  test('has to be said where nothing legal is left', () => {
    assert.throws(
      () => deploymentName('/a/日本.py', undefined),
      /no name can be made of '日本\.py'; give it one: .* --name <name>/,
    );
  });
});
