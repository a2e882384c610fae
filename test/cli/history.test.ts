/** `prisn history`, `diff`, `rollback`, `describe`, `scale` and `delete`: a deployment over its life. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const scratch = new Scratch();
const server = await Server.start({ after });

/** A deployment with three revisions: another variable, then another source. */
async function deployThrice(name: string): Promise<void> {
  const file = scratch.file(`${name}.sh`, 'echo "one $LEVEL"');
  await server.prisn(['deploy', file, '-e', 'LEVEL=info']);
  await server.prisn(['deploy', file, '-e', 'LEVEL=debug', '--timeout', '5m']);
  scratch.file(`${name}.sh`, 'echo "three $LEVEL"');
  await server.prisn(['deploy', file]);
}

test('prisn history lists revisions and what each changed', async () => {
  await deployThrice('storied');
  const { stdout } = await server.prisn(['history', 'storied']);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  assert.deepEqual(
    rows.map(([revision, , , changed]) => [revision, changed]),
    [
      ['REVISION', 'CHANGED'],
      ['3', 'source'],
      ['2', 'timeout, env LEVEL'],
      ['1', 'created'],
    ],
  );
  assert.equal((await server.prisn(['history', 'storied', '-o', 'name'])).stdout, '3\n2\n1\n');
  assert.equal((await server.prisn(['history', 'nothing'])).code, 3);
});

describe('prisn diff', () => {
  test('compares the present revision with the one before, or two that are named', async () => {
    await deployThrice('compared');
    assert.match(
      (await server.prisn(['diff', 'compared'])).stdout,
      new RegExp(
        '^--- revision 2\n\\+{3} revision 3\n- source: sha256-\\w{12}\n\\+ source: sha256-\\w{12}\n\n' +
          '--- compared\\.sh\trevision 2\n\\+{3} compared\\.sh\trevision 3\n@@ -1,1 \\+1,1 @@\n' +
          '-echo "one \\$LEVEL"\n\\\\ No newline at end of file\n\\+echo "three \\$LEVEL"\n\\\\ No newline at end of file\n$',
      ),
    );
    assert.equal(
      (await server.prisn(['diff', 'compared', '1', '2'])).stdout,
      '--- revision 1\n+++ revision 2\n+ timeout: 5m\n- env LEVEL: info\n+ env LEVEL: debug\n',
    );
    assert.equal((await server.prisn(['diff', 'compared', '2', '2'])).stdout, 'revisions 2 and 2 are the same\n');
    const { changes } = JSON.parse((await server.prisn(['diff', 'compared', '1', '2', '-o', 'json'])).stdout) as {
      changes: unknown[];
    };
    assert.deepEqual(changes[0], { field: 'timeout', after: '5m' });
  });

  test('tells of every file of a source how it changed', async () => {
    const folder = scratch.folder('many');
    for (const [name, text] of Object.entries({ 'main.sh': 'echo 1\n', gone: 'old\n', data: '\0one', tool: 'x\n', same: 's\n' }))
      scratch.file(`many/${name}`, text);
    await server.prisn(['deploy', folder]);
    rmSync(scratch.path('many/gone'));
    for (const [name, text] of Object.entries({ 'main.sh': 'echo 1\necho 2\n', data: '\0two', new: 'new\n' }))
      scratch.file(`many/${name}`, text);
    scratch.file('many/tool', 'x\n', 0o755);
    await server.prisn(['deploy', folder]);
    const { stdout } = await server.prisn(['diff', 'many']);
    assert.equal(
      stdout.slice(stdout.indexOf('\n\n') + 2),
      'data: changed\n\n--- gone\trevision 1\n+++ /dev/null\trevision 2\n@@ -1,1 +0,0 @@\n-old\n\n' +
        '--- main.sh\trevision 1\n+++ main.sh\trevision 2\n@@ -1,1 +1,2 @@\n echo 1\n+echo 2\n\n' +
        '--- /dev/null\trevision 1\n+++ new\trevision 2\n@@ -0,0 +1,1 @@\n+new\n\ntool is now executable\n',
    );
    const { files } = JSON.parse((await server.prisn(['diff', 'many', '-o', 'json'])).stdout) as { files: object[] };
    assert.deepEqual(files.slice(0, 2), [
      { path: 'data', change: 'changed' },
      { path: 'gone', change: 'removed', diff: ['@@ -1,1 +0,0 @@', '-old'] },
    ]);
  });

  test('of a revision that is not there is 3', async () => {
    await server.prisn(['deploy', scratch.file('single.sh', 'exit 0')]);
    for (const command of ['diff', 'rollback']) assert.equal((await server.prisn([command, 'single'])).code, 3);
    assert.equal((await server.prisn(['diff', 'single', '7'])).code, 3);
    assert.equal((await server.prisn(['diff', 'single', 'last'])).code, 2);
  });
});

test('prisn rollback brings an earlier revision back', async () => {
  await deployThrice('rolled');
  const before = await server.prisn(['rollback', 'rolled']);
  assert.match(before.stdout, /^rolled: rolled back to the one before, as revision 4;/);
  assert.equal((await server.prisn(['trigger', 'rolled', '--wait'])).stdout, 'one debug\n');
  await server.prisn(['rollback', 'rolled', '1']);
  assert.equal((await server.prisn(['trigger', 'rolled', '--wait'])).stdout, 'one info\n');
  assert.equal((await server.prisn(['rollback', 'rolled', '99'])).code, 3);
});

describe('prisn describe', () => {
  test('shows a deployment, its folders, and secrets by name only', async () => {
    await server.prisn(['secret', 'create', 'pw'], { stdin: 'topsecret' });
    const words = ['--secret', 'pw:PASSWORD', '-e', 'LEVEL=info', '--timeout', '5m', '--retries', '1'];
    await server.prisn(['deploy', scratch.file('described.sh', 'pwd; echo "$PRISN_DATA"'), ...words]);
    const { stdout: output } = await server.prisn(['trigger', 'described', '--wait']);
    const [work = '', data = ''] = output.split('\n');
    const { stdout } = await server.prisn(['describe', 'described']);
    for (const line of [`  work  ${work}`, `  data  ${data} (PRISN_DATA)`, '  PASSWORD  from secret pw', '  LEVEL  info'])
      assert.ok(stdout.includes(`\n${line}\n`), `${line}\n${stdout}`);
    assert.match(stdout, /^Limits: +timeout 5m, retries 1$/m);
    assert.match(stdout, /^ {2}exec-\w+ +described +Completed/m);
    assert.doesNotMatch(stdout, /topsecret/);
  });

  test('shows an execution with the reason of its end and where its time went', async () => {
    await server.prisn(['deploy', scratch.file('broken.sh', 'echo last words >&2; exit 9')]);
    const id = (await server.prisn(['trigger', 'broken'])).stdout.trim();
    await server.prisn(['wait', id]);
    const { stdout } = await server.prisn(['describe', id]);
    assert.match(stdout, /^Status: +Failed \(exit code 9\)$/m);
    assert.match(stdout, /^ {2}waited +[\d.]+m?s\n {2}took +[\d.]+m?s: prepare [\d.]+m?s, .*run [\d.]+m?s$/m);
    assert.match(stdout, /^Last of stderr\n {2}last words$/m);
  });

  test('says why an execution waits', async () => {
    await server.prisn(['deploy', scratch.file('narrow.sh', 'exec sleep 60'), '--concurrency', '1']);
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await server.prisn(['trigger', 'narrow'])).stdout.trim());
    const { stdout } = await server.prisn(['describe', ids[2] as string]);
    assert.match(stdout, /^Status: +Pending \(2nd in the queue\)$/m);
    assert.match(stdout, /^Why: +it waits for its turn; 1 will start before it$/m);
    await server.prisn(['cancel', ...ids]);
  });

  test('of what is not there is 3', async () => {
    assert.equal((await server.prisn(['describe', 'nothing'])).code, 3);
    assert.equal((await server.prisn(['describe', 'exec-nothing'])).code, 3);
  });
});

test('prisn scale of a job is refused with what is meant', async () => {
  await server.prisn(['deploy', scratch.file('unscaled.sh', 'exit 0')]);
  const result = await server.prisn(['scale', 'unscaled', '--replicas', '3']);
  assert.deepEqual([result.code, result.stdout], [2, '']);
  assert.match(result.stderr, /--concurrency|trigger|service/);
});

test('prisn delete ends what runs and takes the name away', async () => {
  await server.prisn(['deploy', scratch.file('deleted.sh', 'exec sleep 60')]);
  const id = (await server.prisn(['trigger', 'deleted'])).stdout.trim();
  assert.equal((await server.prisn(['delete', 'deleted'])).code, 2);
  const result = await server.prisn(['delete', 'deleted', '--yes']);
  assert.deepEqual([result.code, result.stdout], [0, 'deleted deleted\n']);
  assert.equal((await server.prisn(['get', 'apps', 'deleted'])).code, 3);
  assert.equal((await server.prisn(['wait', id])).code, 125);
  assert.equal((await server.prisn(['delete', id, '--yes'])).code, 2);
});
