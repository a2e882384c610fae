/**
 * What does an execution cost by HTTP: accepted durably, run, recorded durably and answered? Against a bare loop of the
 * same program in the same kind of pool, without HTTP, queue or record; and against BullMQ with a Redis of its own.
 */
import { IsolatePool } from '../sandbox/isolate/pool.ts';
import type { IsolateTask } from '../src/model/task.ts';
import { BullMq } from './bullmq.ts';
import { type Loop, reportLoops, runLoops } from './closed-loop.ts';
import { BenchDaemon } from './daemon.ts';

const entry = '/noop.js';
const source = 'export default () => 1;';
const task: IsolateTask = {
  program: { entry, modules: { [entry]: { format: 'module', code: source, imports: {} } } },
  args: [],
  env: {},
  cwd: '/',
  returns: 'outcome',
  limits: { timeoutMs: 10_000 },
};
const sink = { stdout: () => {}, stderr: () => {} };

const jobs = {
  js: { source, runtime: 'javascript' },
  python3: { source: 'pass', runtime: 'python3' },
  // Some 60 ms of an interpreter that starts.
  imports: { source: 'import json, urllib.request, http.client, ssl, asyncio, logging', runtime: 'python3' },
  bash: { source: ':', runtime: 'bash' },
};

export async function executions(): Promise<void> {
  const pool = new IsolatePool({ threads: 2, maxHostBytes: 2 ** 30 });
  const durable = await BenchDaemon.start();
  const unsynced = await BenchDaemon.start(['--sync', 'off']);
  const spawning = await BenchDaemon.start(['--fork-servers', '0']);
  const bullMq = await BullMq.start();
  try {
    for (const daemon of [durable, unsynced, spawning])
      for (const [name, job] of Object.entries(jobs)) await daemon.ask('POST', '/api/v1/deployments', { name, ...job });
    for (const clients of [1, 32]) {
      const loop = (name: string, call: () => Promise<unknown>): Loop => ({ name, call, clients });
      const loops = [
        loop('the pool alone, js', () => pool.start(task, sink).exited),
        loop('js', durable.trigger('js')),
        loop('js, not synced', unsynced.trigger('js')),
        loop('python3, forked', durable.trigger('python3')),
        loop('python3, spawned', spawning.trigger('python3')),
        loop('python3 with imports, forked', durable.trigger('imports')),
        loop('python3 with imports, spawned', spawning.trigger('imports')),
        loop('bash', durable.trigger('bash')),
        loop('bash, not synced', unsynced.trigger('bash')),
        ...(typeof bullMq === 'string' ? [] : [loop('BullMQ, Redis with appendfsync always', () => bullMq.run())]),
      ];
      const figures = await runLoops(loops);
      reportLoops(`Executions by HTTP that wait for their end, ${clients} at once`, 'the pool alone, js', figures);
    }
    if (typeof bullMq === 'string') console.log(`BullMQ is left out: ${bullMq}`);
  } finally {
    if (typeof bullMq !== 'string') await bullMq.stop();
    await Promise.all([pool.close(), durable.stop(), unsynced.stop(), spawning.stop()]);
  }
}
