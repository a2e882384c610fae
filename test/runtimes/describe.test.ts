import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRuntime } from '../../runtimes/describe.ts';
import { runtimeById, runtimes } from '../../runtimes/index.ts';
import { Scratch } from '../scratch.ts';

function setUp(scratch: Scratch, path: string) {
  return { env: { PATH: path }, cwd: scratch.root, cacheDir: scratch.path('cache') };
}

test('every runtime is described with its interpreter and version, or with what to type to have it', async (t) => {
  const scratch = new Scratch(t);
  const all = await Promise.all(runtimes.map((runtime) => describeRuntime(runtime, setUp(scratch, '/usr/bin:/bin'))));
  for (const { id, status, hint } of all)
    if (['javascript', 'typescript', 'node', 'python3', 'bash', 'sh', 'executable'].includes(id)) assert.equal(status, 'ok', id);
    else if (status !== 'ok') assert.match(hint ?? '', /to install it: \S+ .+|is older than/, id);
  const python = all.find(({ id }) => id === 'python3');
  assert.equal(python?.file, '/usr/bin/python3');
  assert.match(python?.version ?? '', /^3\.\d+\.\d+$/);
  assert.equal(all.find(({ id }) => id === 'sh')?.version, undefined);
});

test('a missing, an outdated and a broken interpreter are statuses with a hint', async (t) => {
  const scratch = new Scratch(t);
  const describe = (path: string) => describeRuntime(runtimeById('python3'), setUp(scratch, path));
  const missing = await describe('/nowhere');
  assert.equal(missing.status, 'missing');
  assert.match(missing.hint ?? '', /not found in PATH \(\/nowhere\); to install it/);
  // Python 2 printed its version to stderr.
  scratch.script('old/python3', 'echo Python 3.4.10 >&2');
  const old = await describe(scratch.path('old'));
  assert.deepEqual([old.status, old.version, old.file], ['too_old', '3.4.10', scratch.path('old/python3')]);
  assert.match(old.hint ?? '', /3\.4\.10 is older than 3\.8/);
  scratch.script('broken/python3', 'echo oops; exit 3');
  const broken = await describe(scratch.path('broken'));
  assert.equal(broken.status, 'missing');
  assert.match(broken.hint ?? '', /broken\/python3 does not start, or tells no version/);
});

test('a version is asked once and again after the interpreter changed', async (t) => {
  const scratch = new Scratch(t);
  const describe = () => describeRuntime(runtimeById('python3'), setUp(scratch, scratch.path('bin')));
  const install = (version: string) =>
    scratch.script('bin/python3', `echo "$@" >> ${scratch.path('calls')}; echo Python ${version}`);
  install('3.12.1');
  assert.equal((await describe()).version, '3.12.1');
  assert.equal((await describe()).version, '3.12.1');
  assert.deepEqual(scratch.log('calls'), ['--version']);
  install('3.13.10');
  assert.equal((await describe()).version, '3.13.10');
});
