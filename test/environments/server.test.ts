/** What programs need, by a whole server: jobs, functions, detached runs, fork servers and the launcher. */
import assert from 'node:assert/strict';
import { after, describe, test, type TestContext } from 'node:test';
import type { ShownExecution } from '../../src/api/contract/schemas.ts';
import { needsLauncher } from '../clients.ts';
import { needs } from '../machine.ts';
import { until } from '../processes.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';
import { PythonIndex } from './wheels.ts';

describe('a server installs what programs need', { ...needs('python3'), concurrency: 2 }, async () => {
  const index = await PythonIndex.start({ after }, new Scratch());
  index.add({ name: 'apple', version: '1.0' });
  const start = (context: TestContext, home?: string, from = index): Promise<Server> =>
    Server.start(context, { env: from.env, ...(home !== undefined && { home }) });

  const program = 'import apple\nprint(apple.version)\n';
  const block = `# /// script\n# dependencies = ["apple"]\n# ///\n${program}`;

  const execute = async (server: Server, source: string, more: object = {}): Promise<ShownExecution> => {
    const { body } = await server.request('POST', '/api/v1/executions?wait=60s', { source, runtime: 'python3', ...more });
    return body as ShownExecution;
  };
  const forked = async (server: Server): Promise<number> => {
    const { text } = await server.request('GET', '/metrics');
    return Number(/^prisn_fork_runs_total (\d+)$/m.exec(text)?.[1]);
  };

  test('of code that was sent, also where it is forked from a warm interpreter', async (context) => {
    const server = await start(context);
    const first = await execute(server, block);
    assert.equal(first.stdout, '1.0\n', JSON.stringify(first));
    const prefix = `${block}import sys\nprint(sys.prefix)\n`;
    const { stdout: spawned = '' } = await execute(server, prefix);
    assert.match(spawned, /^1\.0\n\S*\/environments\/[0-9a-f]{32}\.[0-9a-f]{12}\n$/);
    const isForked = async (): Promise<boolean> => {
      assert.equal((await execute(server, prefix)).stdout, spawned);
      return (await forked(server)) > 70;
    };
    // By then it has a successor that was started with what these programs import.
    await until('many forked runs', isForked, 60_000);
  });

  test('of a job, ahead of its first execution, also after a restart and after prisn cache clean', async (context) => {
    const folder = new Scratch(context);
    const own = await PythonIndex.start(context, folder);
    own.add({ name: 'apple', version: '1.0' });
    folder.file('job/requirements.txt', '-r base.txt\n');
    folder.file('job/base.txt', 'apple\n');
    folder.file('job/sub/main.py', program);
    const home = folder.folder('home');
    const server = await start(context, home, own);
    const deployed = await server.prisn(['deploy', folder.path('job'), '--entrypoint', 'sub/main.py']);
    assert.equal(deployed.code, 0, deployed.stderr);
    await until('it is installed ahead', async () => (await server.prisn(['cache', 'list'])).stdout.includes('requirements'));
    const ahead = own.fetched;
    const trigger = async (by: Server): Promise<string> => {
      const { stdout, stderr } = await by.prisn(['trigger', 'job', '--wait']);
      return stdout || stderr;
    };
    assert.match(await trigger(server), /^1\.0$/m);
    assert.equal(own.fetched, ahead);
    await server.stop();
    const next = await start(context, home, own);
    const before = own.fetched;
    assert.match(await trigger(next), /^1\.0$/m);
    assert.equal(own.fetched, before);
    const cleaned = await next.prisn(['cache', 'clean']);
    assert.match(cleaned.stdout, /^removed 1 of 1, /, cleaned.stderr);
    assert.match(await trigger(next), /^1\.0$/m);
    assert.equal(own.fetched, before + 1);
  });

  test('of a function and of a detached run', async (context) => {
    const folder = new Scratch(context);
    folder.file('requirements.txt', 'apple\n');
    const file = folder.file('answer.py', 'import apple\nprint("Content-Type: text/plain\\n")\nprint(apple.version)\n');
    const server = await start(context);
    const deployed = await server.prisn(['deploy', file]);
    assert.equal(deployed.code, 0, deployed.stderr);
    const answer = await server.request('GET', '/fn/answer');
    assert.equal(answer.text, '1.0\n');
    const { stdout: id, stderr } = await server.prisn(['run', '--detach', file]);
    assert.match(id, /^exec-/, stderr);
    const waited = await server.prisn(['wait', id.trim()]);
    assert.equal(waited.code, 0, waited.stderr);
    assert.match((await server.prisn(['logs', id.trim()])).stdout, /1\.0$/m);
  });

  test('or says why it could not, with the last words of the installer', async (context) => {
    const server = await start(context);
    const { status, reason, exit_code, error, prepare_ms } = await execute(server, block.replace('apple"', 'nothing-such"'));
    assert.deepEqual([status, reason, exit_code], ['Failed', 'dependency', 125]);
    assert.match(
      error ?? '',
      /^main\.py \(# \/\/\/ script\) by \w+: \w+ install found no nothing-such; [^]*\n.*No matching distribution/,
    );
    assert.ok((prepare_ms ?? 0) > 0);
  });

  test('from an index for which the secrets of a deployment have the password', async (context) => {
    const folder = new Scratch(context);
    const closed = await PythonIndex.start(context, folder);
    closed.add({ name: 'plum', version: '4.0' });
    closed.credentials = 'me:open-sesame';
    folder.file('job/requirements.txt', 'plum\nnothing-such; python_version < "3"\n');
    folder.file('job/main.py', 'import plum\nprint(plum.version)\n');
    const server = await start(context);
    await server.prisn(['secret', 'create', 'index', '--from-file', folder.file('url', closed.url)]);
    const deployed = await server.prisn(['deploy', folder.path('job'), '--secret', 'index:PIP_INDEX_URL']);
    assert.equal(deployed.code, 0, deployed.stderr);
    const { stdout, stderr } = await server.prisn(['trigger', 'job', '--wait']);
    assert.match(stdout, /^4\.0$/m, stderr);
    const bare = await server.prisn([
      'deploy',
      folder.path('job'),
      '--name',
      'bare',
      '-e',
      `PIP_INDEX_URL=${closed.url.replace('me:open-sesame@', '')}`,
    ]);
    assert.equal(bare.code, 0, bare.stderr);
    const refused = await server.prisn(['trigger', 'bare', '--wait']);
    assert.match(refused.stderr + refused.stdout, /was refused by the index \(HTTP 401\): give it credentials/);
  });

  test('and a launch finds what a run has installed', needsLauncher, async (context) => {
    const folder = new Scratch(context);
    folder.file('requirements.txt', 'apple\n');
    const file = folder.file('x.py', `${program}import sys; print(sys.prefix != sys.base_prefix)\n`);
    const server = await start(context);
    const run = () => server.prisn(['run', file], { env: index.env });
    const first = await run();
    assert.equal(first.stdout, '1.0\nTrue\n', first.stderr);
    const isForked = async (): Promise<boolean> => {
      const { stdout, stderr } = await run();
      assert.deepEqual([stdout, stderr], ['1.0\nTrue\n', '']);
      return (await forked(server)) > 0;
    };
    await until('a launched run', isForked, 30_000);
  });
});
