import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import { endLeftover } from '../../../sandbox/process/leftover.ts';
import { processId } from '../../../src/base/process-id.ts';
import { membersOf, needsProc } from '../../processes.ts';
import { isAlive, newRunId, until } from './harness.ts';

describe('what a daemon left running', needsProc, () => {
  test('is ended by its root, with all that descends from it', async (t) => {
    const { pid } = start(t, 'sleep 1000 & env -i sleep 1000');
    await until('three', () => membersOf(pid).length === 3);
    assert.equal(await endLeftover(newRunId(), processId(pid)), 3);
    assert.deepEqual(membersOf(pid), []);
  });

  test('is ended by the run’s id alone', async (t) => {
    const runId = newRunId();
    const { pid } = start(t, 'sleep 1000 & sleep 1000', { PRISN_RUN_ID: runId });
    await until('three', () => membersOf(pid).length === 3);
    assert.equal(await endLeftover(runId, undefined), 3);
    assert.deepEqual(membersOf(pid), []);
  });

  test('is nobody with the pid of another process, of another boot, or of a run whose id only begins alike', async (t) => {
    const runId = newRunId();
    const { pid } = start(t, 'exec sleep 1000', { PRISN_RUN_ID: `${runId}0` });
    const own = processId(pid);
    assert.ok(own);
    for (const other of [{ start: '1' }, { boot: 'another' }]) assert.equal(await endLeftover(runId, { ...own, ...other }), 0);
    assert.ok(isAlive(pid));
  });
});

function start(t: TestContext, script: string, env: Record<string, string> = {}): { pid: number } {
  const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore', env: { PATH: '/usr/bin:/bin', ...env } });
  const { pid = 0 } = child;
  t.after(() => end(child));
  return { pid };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  try {
    process.kill(-(child.pid ?? 0), 'SIGKILL');
  } catch {}
  await ended;
}
