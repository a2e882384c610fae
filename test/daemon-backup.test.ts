/** Backups, taken and put back while the server runs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { ShownDeployment, ShownExecution } from '../src/api/contract/schemas.ts';
import { Scratch } from './scratch.ts';
import { Server } from './server.ts';

/** Writes a line to what the deployment keeps, and says how many there are, and the secret's length. */
const counting = 'echo x >> "$PRISN_DATA/lines"\nln -sf lines "$PRISN_DATA/link"\nwc -l < "$PRISN_DATA/lines"\necho "${#A}"\n';

async function deployCounting(server: Server): Promise<ShownDeployment> {
  await server.request('POST', '/api/v1/secrets', { name: 'a', value: 'a-secret' });
  const fields = { name: 'counting', runtime: 'bash', source: counting, secrets: [{ name: 'a', env: 'A' }] };
  const { body, text, status } = await server.request('POST', '/api/v1/deployments', fields);
  assert.equal(status, 201, text);
  return body as ShownDeployment;
}

async function trigger(server: Server): Promise<string> {
  const { body, text } = await server.request('POST', '/api/v1/executions?wait=30s', { deployment_id: 'counting' });
  return (body as ShownExecution).stdout ?? text;
}

async function total(server: Server): Promise<number> {
  return ((await server.request('GET', '/api/v1/executions')).body as { total: number }).total;
}

test('what was stored comes back: deployments, executions with their output, data and secrets', async (t) => {
  const scratch = new Scratch(t);
  const server = await Server.start(t);
  const deployment = await deployCounting(server);
  assert.equal(await trigger(server), '1\n8\n');
  const long = await server.request('POST', '/api/v1/executions?wait=30s', { runtime: 'bash', source: 'seq 50000' });
  const file = scratch.path('backup.tar.gz');
  const { code, stderr } = await server.prisn(['backup', file]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /without the key of the secrets/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal((await server.prisn(['backup', file])).code, 6);

  assert.equal(await trigger(server), '2\n8\n');
  await server.request('DELETE', '/api/v1/deployments/counting');
  assert.equal((await server.prisn(['restore', file])).code, 6);
  assert.equal((await server.prisn(['restore', file, '--force'])).code, 2);
  const restored = await server.prisn(['restore', file, '--force', '--yes']);
  assert.equal(restored.code, 0, restored.stderr);

  assert.equal(await total(server), 2);
  const { id } = long.body as ShownExecution;
  const shown = (await server.request('GET', `/api/v1/executions/${id}`)).body as ShownExecution;
  assert.equal(shown.stdout, (long.body as ShownExecution).stdout);
  assert.equal(((await server.request('GET', '/api/v1/deployments/counting')).body as ShownDeployment).id, deployment.id);
  assert.equal(readlinkSync(join(server.home, 'data/data', deployment.id, 'link')), 'lines');
  assert.equal(await trigger(server), '2\n8\n');
  assert.deepEqual(
    readdirSync(join(server.home, 'data')).filter((name) => /restore|backup/.test(name)),
    [],
  );
});

test('on another server the secrets open with the key of the backup only', async (t) => {
  const scratch = new Scratch(t);
  const from = await Server.start(t);
  await deployCounting(from);
  await from.prisn(['backup', scratch.path('plain.tar.gz')]);
  await from.prisn(['backup', scratch.path('with-key.tar.gz'), '--with-key']);

  const to = await Server.start(t);
  const refused = await to.prisn(['restore', scratch.path('plain.tar.gz')]);
  assert.equal(refused.code, 6);
  assert.match(refused.stderr, /sealed with the key [0-9a-f]{16}, which is not here/);
  const keyless = await to.prisn(['restore', scratch.path('plain.tar.gz'), '--force', '--yes']);
  assert.equal(keyless.code, 0, keyless.stderr);
  const { reasons } = (await to.request('GET', '/ready')).body as { reasons: string[] };
  assert.match(reasons.join(), /^the key of a secret is neither in .*; put the key file back/);
  const restored = await to.prisn(['restore', scratch.path('with-key.tar.gz'), '--force', '--yes']);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal(await trigger(to), '1\n8\n');
});

test('it is taken and put back while executions come in', async (t) => {
  const scratch = new Scratch(t);
  const server = await Server.start(t);
  await deployCounting(server);
  const accepted: string[] = [];
  let isOver = false;
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const source = 'export default () => 1';
      const { status, body } = await server.request('POST', '/api/v1/executions', { runtime: 'javascript', source });
      if (status === 202) accepted.push((body as ShownExecution).id);
      else assert.equal(status, 503);
    }
  });
  const file = scratch.path('backup.tar.gz');
  const backup = await server.prisn(['backup', file]);
  const before = accepted.length;
  const restored = await server.prisn(['restore', file, '--force', '--yes']);
  isOver = true;
  await Promise.all(load);
  assert.deepEqual([backup.code, restored.code], [0, 0], backup.stderr + restored.stderr);
  assert.ok(before > 0);

  const list = (await server.request('GET', '/api/v1/executions?limit=1000')).body as { items: ShownExecution[]; total: number };
  assert.ok(list.total > 0 && list.total <= accepted.length);
  for (const { id } of list.items) {
    const { body } = await server.request('GET', `/api/v1/executions/${id}?wait=30s`);
    assert.match((body as ShownExecution).status, /^(?:Completed|Failed)$/);
  }
  assert.equal((await server.prisn(['doctor', '--store'])).code, 0);
  assert.equal(await trigger(server), '1\n8\n');
});

test('a broken archive, and one that is none, change nothing', async (t) => {
  const scratch = new Scratch(t);
  const server = await Server.start(t);
  await deployCounting(server);
  await trigger(server);
  const file = scratch.path('backup.tar.gz');
  await server.prisn(['backup', file]);
  const whole = readFileSync(file);
  const flipped = Buffer.from(whole);
  flipped[whole.length >> 1] = (whole[whole.length >> 1] ?? 0) ^ 0xff;
  const cases: [string, Buffer][] = [
    ['cut', whole.subarray(0, whole.length - 20)],
    ['cut in the middle', whole.subarray(0, whole.length >> 1)],
    ['a byte is another', flipped],
    ['text', Buffer.from('hello')],
    ['empty', Buffer.alloc(0)],
    ['another tar', await tarOf({ 'hello.txt': 'hello' })],
    ['leads out', await tarOf({ 'backup.json': '{"prisn_backup":1}', '../out': 'x' })],
    ['of a later version', await tarOf({ 'backup.json': '{"prisn_backup":2,"version":"9.0.0"}' })],
  ];
  for (const [what, bytes] of cases) {
    const { code, stderr } = await server.prisn(['restore', scratch.file('broken.tar.gz', bytes), '--force', '--yes']);
    assert.ok(code === 2 || code === 125, `${what}: ${code} ${stderr}`);
    assert.match(stderr, /no whole backup of prisn|is newer; update prisn/, what);
  }
  assert.equal(await trigger(server), '2\n8\n');
  assert.ok(!existsSync(join(server.home, 'out')));
  assert.ok(!existsSync(join(server.home, 'data/restore.partial')));
});

test('a restore that was interrupted after its decision is finished by the next start, one before it is forgotten', async (t) => {
  const server = await Server.start(t);
  await deployCounting(server);
  await trigger(server);
  await server.stop();
  const data = join(server.home, 'data');
  // As if it had been killed with the store already moved: what is to come in lies ready, the rest is still the old.
  const ready = join(data, 'restore.ready');
  mkdirSync(ready);
  for (const part of ['bundles', 'logs', 'work', 'data']) cpSync(join(data, part), join(ready, part), { recursive: true });
  mkdirSync(join(data, 'restore.replaced'));
  const lines = join(ready, 'data', readdirSync(join(ready, 'data'))[0] ?? '', 'lines');
  spawnSync('sh', ['-c', 'yes x | head -n 5 > "$0"', lines]);
  renameSync(join(data, 'logs'), join(data, 'restore.replaced/logs'));
  mkdirSync(join(data, 'restore.partial/store'), { recursive: true });

  const next = await Server.start(t, { home: server.home });
  assert.equal(await trigger(next), '6\n8\n');
  assert.deepEqual(
    readdirSync(data).filter((name) => name.startsWith('restore')),
    [],
  );
});

/** A gzipped tar of these files. */
async function tarOf(files: Record<string, string>): Promise<Buffer> {
  const archive = pack();
  for (const [name, text] of Object.entries(files)) archive.entry({ name }, text);
  archive.finalize();
  return gzipSync(await buffer(archive));
}
