import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { locate } from '../../runtimes/locate.ts';
import { python3 } from '../../runtimes/python3.ts';
import { Scratch } from '../scratch.ts';

interface Setup {
  readonly env: Record<string, string>;
  readonly cwd: string;
  readonly cacheDir: string;
}

/** A manager's answer is what stands in the version file, and every call of it is a line in `calls`. */
const answerByFile = (log: string, versions: string, file: string) => `
echo "$@" >> ${log}
dir=$PWD
while [ -n "$dir" ] && [ ! -f "$dir/${file}" ]; do dir=\${dir%/*}; done
version=$(cat "$dir/${file}" 2>/dev/null || cat ${versions}/../version)
[ -n "$PYENV_VERSION" ] && version=$PYENV_VERSION
if [ ! -d ${versions}/$version ]; then
  echo "fake: version \\\`$version' is not installed" >&2; echo "fake: install it" >&2; echo >&2; echo "advice" >&2; exit 127
fi
echo ${versions}/$version/bin/$2`;

/** A pyenv of our own: versions 1 and 2, global version 1. */
function fakePyenv(scratch: Scratch): Setup {
  const tool = scratch.script(
    'pyenv/libexec/pyenv',
    answerByFile(scratch.path('calls'), scratch.path('pyenv/versions'), '.python-version'),
  );
  scratch.file(
    'pyenv/shims/python3',
    `#!/usr/bin/env bash\nset -e\nprogram="\${0##*/}"\nexec "${tool}" exec "$program" "$@"\n`,
    0o755,
  );
  for (const version of ['1', '2']) scratch.script(`pyenv/versions/${version}/bin/python3`, `echo python ${version}`);
  scratch.file('pyenv/version', '1\n');
  scratch.folder('work/deep');
  const env = { PATH: `${scratch.path('pyenv/shims')}:/usr/bin:/bin`, HOME: scratch.root };
  return { env, cwd: scratch.path('work/deep'), cacheDir: scratch.path('home/cache') };
}

const versionOf = (file: string) => /versions\/(\d+)\/bin\/python3$/.exec(file)?.[1];
const cacheFile = (setup: Setup) => join(setup.cacheDir, 'interpreters.json');

test('a pyenv shim is resolved to what it starts, and pyenv is asked only once', (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  const expected = { file: scratch.path('pyenv/versions/1/bin/python3'), source: 'pyenv' };
  for (let i = 0; i < 3; i++) assert.deepEqual(locate(python3, setup), expected);
  assert.deepEqual(scratch.log('calls'), ['which python3']);
});

test('a version file that comes, changes or goes anywhere above the working directory is noticed', (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  assert.equal(versionOf(locate(python3, setup).file), '1');
  scratch.file('work/.python-version', '2\n');
  assert.equal(versionOf(locate(python3, setup).file), '2');
  scratch.file('work/deep/.python-version', '1\n');
  assert.equal(versionOf(locate(python3, setup).file), '1');
  scratch.file('work/deep/.python-version', '2\n');
  assert.equal(versionOf(locate(python3, setup).file), '2');
  rmSync(scratch.path('work/deep/.python-version'));
  rmSync(scratch.path('work/.python-version'));
  const asked = scratch.log('calls').length;
  assert.equal(versionOf(locate(python3, setup).file), '1');
  assert.equal(scratch.log('calls').length, asked, 'the first answer is still good');
  scratch.file('pyenv/version', '2\n');
  assert.equal(versionOf(locate(python3, setup).file), '2');
});

test('working directories under the same version files share an answer', (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  locate(python3, setup);
  locate(python3, { ...setup, cwd: scratch.root });
  assert.equal(scratch.log('calls').length, 1);
});

test("a variable of the manager and PATH are part of the question, a stranger's variable is not", (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  const withEnv = (more: Record<string, string>) => locate(python3, { ...setup, env: { ...setup.env, ...more } }).file;
  assert.equal(versionOf(withEnv({})), '1');
  assert.equal(versionOf(withEnv({ PYENV_VERSION: '2' })), '2');
  withEnv({ LANG: 'C', EDITOR: 'vi' });
  assert.equal(scratch.log('calls').length, 2);
  withEnv({ PATH: `${setup.env['PATH']}:/opt` });
  assert.equal(scratch.log('calls').length, 3);
  withEnv({ PYENV_DIR: scratch.folder('other/project') });
  scratch.file('other/.python-version', '1');
  withEnv({ PYENV_DIR: scratch.path('other/project') });
  assert.equal(scratch.log('calls').length, 5, 'pyenv looks for version files from PYENV_DIR too');
});

test('an interpreter that was removed, replaced or made unexecutable is not started from the cache', (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  const { file } = locate(python3, setup);
  renameSync(scratch.script('new', 'echo replaced'), file);
  locate(python3, setup);
  assert.equal(scratch.log('calls').length, 2, 'replaced');
  chmodSync(file, 0o644);
  assert.throws(() => locate(python3, setup), { code: 'no_runtime', message: /pyenv answers '.*python3', which is no program/ });
  rmSync(dirname(dirname(file)), { recursive: true });
  assert.throws(() => locate(python3, setup), { code: 'no_runtime' });
});

test("a version that is not installed is refused in the manager's own words, and found once it is", (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  scratch.file('work/.python-version', '3\n');
  assert.throws(() => locate(python3, setup), {
    code: 'no_runtime',
    message: "pyenv which python3: fake: version `3' is not installed; fake: install it",
  });
  scratch.script('pyenv/versions/3/bin/python3', 'echo python 3');
  assert.equal(versionOf(locate(python3, setup).file), '3');
});

test('an activated venv is taken before a shim, without asking', (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  const python = scratch.script('venv/bin/python3', 'exit 0');
  assert.equal(locate(python3, { ...setup, env: { ...setup.env, VIRTUAL_ENV: scratch.path('venv') } }).file, python);
  assert.deepEqual(scratch.log('calls'), []);
});

test('a damaged cache file is ignored and written anew', (t) => {
  for (const damage of ['', '{', 'null', '{}', '[1,[],["a"],null,["k","v",null],["k",1,{}]]', '\0'.repeat(5000)]) {
    const scratch = new Scratch(t);
    const setup = fakePyenv(scratch);
    mkdirSync(setup.cacheDir, { recursive: true });
    writeFileSync(cacheFile(setup), damage, { mode: 0o600 });
    locate(python3, setup);
    locate(python3, setup);
    assert.equal(scratch.log('calls').length, 1, JSON.stringify(damage.slice(0, 20)));
  }
});

test('a cache file that others can write, or that is a link, is ignored and replaced by one of our own', (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  locate(python3, setup);
  const evil = scratch.script('evil', 'exit 0');
  const forged = readFileSync(cacheFile(setup), 'utf8')
    .replaceAll(/"[^"]*versions\/1\/bin\/python3"/g, JSON.stringify(evil))
    .replace(/\{.*\}/, '{}');
  writeFileSync(cacheFile(setup), forged);
  assert.equal(locate(python3, setup).file, evil, 'the forgery is one that would be believed');

  chmodSync(cacheFile(setup), 0o666);
  assert.equal(versionOf(locate(python3, setup).file), '1');
  assert.equal(statSync(cacheFile(setup)).mode & 0o777, 0o600);

  rmSync(cacheFile(setup));
  const target = scratch.file('elsewhere.json', forged, 0o600);
  symlinkSync(target, cacheFile(setup));
  assert.equal(versionOf(locate(python3, setup).file), '1');
  assert.equal(readFileSync(target, 'utf8'), forged, 'the file behind the link is untouched');
});

test('a cache folder that cannot be made or written costs only the asking', (t) => {
  const scratch = new Scratch(t);
  const setup = { ...fakePyenv(scratch), cacheDir: join(scratch.file('a-file', ''), 'cache') };
  assert.equal(versionOf(locate(python3, setup).file), '1');
  assert.equal(versionOf(locate(python3, setup).file), '1');
  assert.equal(scratch.log('calls').length, 2);
});

test('the cache keeps a bounded number of answers and leaves no other file', (t) => {
  const scratch = new Scratch(t);
  const setup = fakePyenv(scratch);
  for (let i = 0; i < 40; i++) locate(python3, { ...setup, env: { ...setup.env, PYENV_X: String(i) } });
  const entries: unknown = JSON.parse(readFileSync(cacheFile(setup), 'utf8'));
  assert.ok(Array.isArray(entries) && entries.length === 32);
  assert.deepEqual(readdirSync(setup.cacheDir), ['interpreters.json']);
  locate(python3, { ...setup, env: { ...setup.env, PYENV_X: '39' } });
  assert.equal(scratch.log('calls').length, 40, 'the latest are kept');
});

test('an asdf shim is resolved, its asdf found by path or in PATH', (t) => {
  for (const bare of [false, true]) {
    const scratch = new Scratch(t);
    const tool = scratch.script('bin/asdf', answerByFile(scratch.path('calls'), scratch.path('asdf/versions'), '.tool-versions'));
    scratch.file(
      'asdf/shims/python3',
      `#!/usr/bin/env bash\n# asdf-plugin: python 1\nexec ${bare ? 'asdf' : tool} exec "python3" "$@"`,
      0o755,
    );
    for (const version of ['1', '2']) scratch.script(`asdf/versions/${version}/bin/python3`, 'exit 0');
    scratch.file('.tool-versions', '1\n');
    scratch.folder('work');
    const env = { PATH: `${scratch.path('asdf/shims')}:${scratch.path('bin')}:/usr/bin:/bin`, HOME: scratch.root };
    const setup = { env, cwd: scratch.path('work'), cacheDir: scratch.path('cache') };
    const found = [locate(python3, setup), locate(python3, setup)];
    assert.deepEqual(
      found.map(({ file, source }) => [versionOf(file), source]),
      [
        ['1', 'asdf'],
        ['1', 'asdf'],
      ],
    );
    assert.deepEqual(scratch.log('calls'), ['which python3']);
    scratch.file('work/.tool-versions', '2\n');
    assert.equal(versionOf(locate(python3, setup).file), '2');
  }
});

/** A mise whose `env --json` and `which` are what the files of those names hold. */
function fakeMise(scratch: Scratch): Setup {
  const tool = scratch.script(
    'bin/mise',
    `echo "$@" >> ${scratch.path('calls')}; cat ${scratch.path('$1')} 2>/dev/null || { echo "mise ERROR $2 is not a mise bin" >&2; exit 1; }`,
  );
  scratch.folder('mise/shims');
  symlinkSync(tool, scratch.path('mise/shims/python3'));
  scratch.file('env', '{"PATH": "/x"}');
  for (const version of ['1', '2']) scratch.script(`mise/installs/python/${version}/bin/python3`, 'exit 0');
  scratch.file('which', `${scratch.path('mise/installs/python/1/bin/python3')}\n`);
  scratch.folder('work');
  return {
    env: { PATH: `${scratch.path('mise/shims')}:/usr/bin:/bin`, HOME: scratch.root },
    cwd: scratch.path('work'),
    cacheDir: scratch.path('cache'),
  };
}

test('a mise shim is resolved, and asked again when a configuration or the set of versions changes', (t) => {
  const scratch = new Scratch(t);
  const setup = fakeMise(scratch);
  const one = { file: scratch.path('mise/installs/python/1/bin/python3'), source: 'mise' };
  assert.deepEqual([locate(python3, setup), locate(python3, setup)], [one, one]);
  assert.deepEqual(scratch.log('calls'), ['env --json', 'which python3']);
  const changes = [
    () => scratch.file('work/mise.toml', ''),
    () => scratch.file('.config/mise/config.toml', ''),
    () => scratch.file('work/.tool-versions', ''),
    () => scratch.folder('mise/installs/python/3'),
  ];
  for (const [i, change] of changes.entries()) {
    change();
    locate(python3, setup);
    locate(python3, setup);
    assert.equal(scratch.log('calls').length, 2 * (i + 2), change.toString());
  }
});

test('a mise shim that would set variables, or that mise cannot name, is started itself', (t) => {
  const scratch = new Scratch(t);
  const setup = fakeMise(scratch);
  const shim = scratch.path('mise/shims/python3');
  scratch.file('env', '{"PATH": "/x", "DATABASE_URL": "y"}');
  assert.deepEqual([locate(python3, setup).file, locate(python3, setup).file], [shim, shim]);
  assert.equal(scratch.log('calls').length, 1);
  scratch.file('env', '{"PATH": "/x"}');
  rmSync(scratch.path('which'));
  scratch.file('work/mise.toml', '');
  assert.equal(locate(python3, setup).file, shim);
});

test('a program in a folder called shims that belongs to no manager is started as it is', (t) => {
  const scratch = new Scratch(t);
  const own = scratch.script('shims/python3', 'exec /usr/bin/python3 "$@"');
  const setup = { env: { PATH: scratch.path('shims') }, cwd: scratch.root, cacheDir: scratch.path('cache') };
  assert.deepEqual(locate(python3, setup), { file: own, source: 'PATH' });
});
