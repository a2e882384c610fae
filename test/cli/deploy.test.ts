/** `prisn deploy` against a server. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { ShownDeployment } from '../../src/api/contract/schemas.ts';
import { prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const scratch = new Scratch();
const server = await Server.start({ after });

async function deployed(name: string): Promise<ShownDeployment> {
  const { stdout } = await server.prisn(['get', 'deployments', name, '-o', 'json']);
  return JSON.parse(stdout) as ShownDeployment;
}

describe('prisn deploy', () => {
  test('makes a deployment, and tells what went up and how to run it', async () => {
    scratch.file('first/helper.sh', 'greet() { echo "hello $1"; }');
    const file = scratch.file('first/greet.sh', '. ./helper.sh; greet "$1"');
    const result = await server.prisn(['deploy', file, '--arg', 'Ada']);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(
      result.stdout,
      '2 files, 53 bytes: greet.sh, helper.sh\ngreet: created (job, sh)\nrun it: prisn trigger greet --wait\n',
    );
    assert.equal((await server.prisn(['trigger', 'greet', '--wait'])).stdout, 'hello Ada\n');
  });

  test('again makes a new revision, which keeps what is not said, and tells that', async () => {
    const file = scratch.file('again.sh', 'echo 1');
    await server.prisn(['deploy', file, '--timeout', '5m', '-e', 'LEVEL=info', '-e', 'MODE=full', '--memory', '256mb']);
    scratch.file('again.sh', 'echo 2');
    const second = await server.prisn(['deploy', file, '-e', 'LEVEL=debug']);
    assert.match(
      second.stdout,
      /^again: updated to revision 2 \(job, sh\)\nkept: --timeout 5m, --memory 256mb, -e MODE; --reset starts clean$/m,
    );
    const { env, timeout_ms, resources } = await deployed('again');
    assert.deepEqual(
      { env, timeout_ms, resources },
      { env: { LEVEL: 'debug', MODE: 'full' }, timeout_ms: 300_000, resources: { memory_mb: 256 } },
    );
  });

  test('of the same code and configuration changes nothing, and says so', async () => {
    const file = scratch.file('same.sh', 'echo 1');
    await server.prisn(['deploy', file, '-e', 'A=1']);
    assert.match((await server.prisn(['deploy', file])).stdout, /^same: unchanged \(revision 1\)$/m);
  });

  test('removes a variable with -e KEY-, and everything that is not said with --reset', async () => {
    const file = scratch.file('less.sh', 'echo 1');
    await server.prisn(['deploy', file, '-e', 'A=1', '-e', 'B=2', '--retries', '2']);
    await server.prisn(['deploy', file, '-e', 'A-']);
    assert.deepEqual((await deployed('less')).env, { B: '2' });
    const reset = await server.prisn(['deploy', file, '-e', 'C=3', '--reset']);
    assert.doesNotMatch(reset.stdout, /kept/);
    const { env, retries } = await deployed('less');
    assert.deepEqual([env, retries ?? 0], [{ C: '3' }, 0]);
  });

  test('takes a folder and runs the file asked for, also the next time', async () => {
    const folder = scratch.folder('tool');
    scratch.file('tool/main.sh', 'echo main');
    scratch.file('tool/jobs/nightly.sh', 'echo nightly');
    await server.prisn(['deploy', folder, '--entrypoint', 'jobs/nightly.sh']);
    scratch.file('tool/main.sh', 'echo other');
    await server.prisn(['deploy', folder]);
    assert.equal((await server.prisn(['trigger', 'tool', '--wait'])).stdout, 'nightly\n');
  });

  test('prints the deployment alone for programs', async () => {
    const file = scratch.file('for-programs.sh', 'echo 1');
    const json = await server.prisn(['deploy', file, '-o', 'json']);
    assert.equal((JSON.parse(json.stdout) as ShownDeployment).name, 'for-programs');
    assert.match(json.stderr, /^1 file/);
    assert.equal((await server.prisn(['deploy', file, '-o', 'name'])).stdout, 'for-programs\n');
  });

  test('refuses a secret that is not there, and says how to make it', async () => {
    const file = scratch.file('needs-secret.sh', 'echo 1');
    const result = await server.prisn(['deploy', file, '--secret', 'no-such:PASSWORD']);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /no-such[\s\S]*prisn secret create no-such/);
    assert.equal((await server.prisn(['get', 'deployments', 'needs-secret'])).code, 3);
  });

  test('refuses what it cannot do yet, and what contradicts itself', async () => {
    const file = scratch.file('service.sh', 'echo 1');
    const port = await server.prisn(['deploy', file, '--port', '8080']);
    assert.equal(port.code, 2);
    assert.match(port.stderr, /port/);
    const reuse = await server.prisn(['deploy', file, '--reuse']);
    assert.equal(reuse.code, 2);
    assert.match(reuse.stderr, /^prisn: reuse: only a program in an isolate keeps its context/m);
    assert.equal((await server.prisn(['deploy', scratch.file('isolated.js', 'export default 1'), '--cpu', '1'])).code, 2);
    const both = await server.prisn(['deploy', file, '--port', '8080', '--schedule', '0 3 * * *']);
    assert.deepEqual([both.code, both.stdout], [2, '']);
    assert.match(both.stderr, /--port makes a service/);
    assert.equal((await server.prisn(['deploy', file, '--name', 'exec-1'])).code, 2);
    assert.equal((await server.prisn(['deploy', file, '--entrypoint', 'service.sh'])).code, 2);
    assert.equal((await server.prisn(['get', 'deployments', 'service'])).code, 3);
  });
});

describe('prisn deploy without a server', () => {
  test('fails with 5', async () => {
    const result = await prisn(['deploy', scratch.file('lonely.sh', 'echo 1'), '--server', '127.0.0.1:1']);
    assert.equal(result.code, 5);
    assert.match(result.stderr, /no prisn server answers at http:\/\/127\.0\.0\.1:1/);
  });

  test('shows what would go up with --dry-run', async () => {
    const result = await prisn(['deploy', scratch.file('dry.sh', 'echo 1'), '--dry-run'], { env: { PRISN_DAEMON: 'off' } });
    assert.deepEqual([result.code, result.stdout], [0, '1 file, 6 bytes: dry.sh\ndry would run dry.sh; nothing was sent\n']);
  });
});
