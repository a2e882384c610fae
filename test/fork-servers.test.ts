/** Python programs by a whole server: forked from warm interpreters where it may have some, and the same either way. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { ShownExecution } from '../src/api/contract/schemas.ts';
import { needs } from './machine.ts';
import { carriersOf, childrenOf, commandOf, isAlive, until } from './processes.ts';
import { Scratch } from './scratch.ts';
import { Server } from './server.ts';

async function run(server: Server, source: string, more: object = {}): Promise<ShownExecution> {
  const { body } = await server.request('POST', '/api/v1/executions?wait=60s', { source, runtime: 'python3', ...more });
  return body as ShownExecution;
}

async function metric(server: Server, name: string): Promise<number> {
  const { text } = await server.request('GET', '/metrics');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** Runs programs until one was forked. */
async function warm(server: Server, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const isForked = async (): Promise<boolean> => {
    await run(server, 'pass', { env });
    return (await metric(server, 'prisn_fork_runs_total')) > 0;
  };
  await until('a forked run', isForked, 30_000);
}

const forkServersOf = (server: Server): number[] =>
  childrenOf(server.pid)
    .filter(({ pid }) => isAlive(pid) && commandOf(pid).includes('forkserver'))
    .map(({ pid }) => pid);

describe('a server with Python programs', { ...needs('python3'), skip: process.platform !== 'linux' && 'Linux only' }, () => {
  test('forks them after the first ones, and they end the same', async (context) => {
    const server = await Server.start(context);
    const source = `
import os, sys
print(sys.argv, sys.stdin.read(), os.environ['K'], os.getcwd() == os.path.dirname(os.path.abspath(__file__)))
print('err', file=sys.stderr)
sys.exit(3)`;
    const ask = async (): Promise<Partial<ShownExecution>> => {
      const { status, reason, exit_code, stdout, stderr } = await run(server, source, {
        args: ['a b'],
        stdin: 'in',
        env: { K: 'v' },
      });
      return {
        status,
        ...(reason !== undefined && { reason }),
        ...(exit_code !== undefined && { exit_code }),
        stdout: stdout?.replace(/'[^']*main\.py'/, 'main.py') ?? '',
        stderr: stderr ?? '',
      };
    };
    const spawned = await ask();
    assert.equal(await metric(server, 'prisn_fork_runs_total'), 0);
    await warm(server);
    const forked = await metric(server, 'prisn_fork_runs_total');
    assert.deepEqual(await ask(), spawned);
    assert.equal(await metric(server, 'prisn_fork_runs_total'), forked + 1);
    assert.equal(spawned.stdout, "[main.py, 'a b'] in v True\n");
  });

  test('replaces a fork server that was killed, and no one notices', async (context) => {
    const server = await Server.start(context);
    await warm(server);
    for (const pid of forkServersOf(server)) process.kill(pid, 'SIGKILL');
    for (let i = 0; i < 5; i++) assert.equal((await run(server, 'print(1)')).stdout, '1\n');
  });

  test('tells of a run its processor time and its end by a signal', async (context) => {
    const server = await Server.start(context);
    await warm(server);
    const shown = await run(
      server,
      'import time, os, signal\nwhile time.process_time() < 0.2: pass\nos.kill(os.getpid(), signal.SIGKILL)',
    );
    assert.deepEqual([shown.status, shown.reason, shown.exit_code], ['Failed', 'signal', 137]);
    assert.ok((shown.cpu_ms ?? 0) >= 150, String(shown.cpu_ms));
  });

  test('that is killed leaves nothing of a forked run, and its successor says so', async (context) => {
    const home = new Scratch(context).root;
    const mark = `fork-${process.pid}`;
    const first = await Server.start(context, { home });
    await warm(first, { LC_MARK: mark });
    const source = `
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(1000)
    os._exit(0)
print('up', flush=True)
time.sleep(1000)`;
    const forked = await metric(first, 'prisn_fork_runs_total');
    const { body } = await first.request('POST', '/api/v1/executions', { source, runtime: 'python3', env: { LC_MARK: mark } });
    const { id } = body as ShownExecution;
    const logs = await fetch(`${first.url}/api/v1/executions/${id}/logs?follow=true`, { headers: { accept: 'text/plain' } });
    const { value } = (await logs.body?.getReader().read()) ?? {};
    assert.match(Buffer.from(value ?? []).toString(), /up/);
    assert.equal(await metric(first, 'prisn_fork_runs_total'), forked + 1);
    // The server, the monitor, the program and what it started.
    await until('all of it', () => carriersOf('LC_MARK', mark).length >= 4);
    await first.kill();
    await until('nothing left', () => carriersOf('LC_MARK', mark).length === 0);
    const second = await Server.start(context, { home });
    const { body: ended } = await second.request('GET', `/api/v1/executions/${id}?wait=30s`);
    const { status, reason } = ended as ShownExecution;
    assert.deepEqual([status, reason], ['Failed', 'interrupted']);
  });

  test('starts each anew where it may have no fork servers', async (context) => {
    const server = await Server.start(context, { flags: ['--fork-servers', '0'] });
    for (let i = 0; i < 3; i++) await run(server, 'pass');
    assert.equal(await metric(server, 'prisn_fork_servers'), 0);
    assert.deepEqual(forkServersOf(server), []);
  });

  test('ends fork servers that are idle for fork_idle, or have more memory than fork_memory', async (context) => {
    for (const flags of [
      ['--fork-idle', '100ms'],
      ['--fork-memory', '1kb', '--fork-idle', '100ms'],
    ]) {
      const server = await Server.start(context, { flags });
      for (let i = 0; i < 3; i++) await run(server, 'pass');
      await until('all are gone', async () => (await metric(server, 'prisn_fork_servers')) === 0, 20_000);
      await server.stop();
    }
  });

  test('has those ready at its next start that ran often, and says in its log why a run is not forked', async (context) => {
    const home = new Scratch(context).root;
    const first = await Server.start(context, { home, flags: ['--log-level', 'debug'] });
    for (let i = 0; i < 12; i++) await run(first, 'pass');
    assert.match(first.output, /first of its kind/);
    assert.equal(await first.stop(), 0);
    const second = await Server.start(context, { home });
    assert.equal(await metric(second, 'prisn_fork_servers'), 1);
    assert.equal(await second.stop(), 0);
    rmSync(join(home, 'cache'), { recursive: true });
    assert.equal(await metric(await Server.start(context, { home }), 'prisn_fork_servers'), 0);
  });
});
