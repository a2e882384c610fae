/**
 * The entry of an isolate host: a child process that holds isolates, so that what kills or hangs them kills it and not
 * the one who started it.
 *
 * Its main thread starts the others, each of which talks to the pool itself (`worker.ts`), and sees to it that nothing of
 * them outlives the pool, nor one of them.
 */
import { Piscina } from 'piscina';
import { siblingPath } from '../sibling.ts';
import { makeSnapshot } from './prelude.ts';
import { firstThreadFd, threadsVariable } from './protocol.ts';
import type { ThreadStart } from './worker.ts';

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const threads = Number(process.env[threadsVariable]);
const snapshot = await makeSnapshot();
const pool = new Piscina({
  filename: siblingPath(import.meta.url, 'worker'),
  minThreads: threads,
  maxThreads: threads,
  idleTimeout: Number.POSITIVE_INFINITY,
});
for (let index = 0; index < threads; index++) {
  const start: ThreadStart = { fd: firstThreadFd + index, snapshot };
  // Only a failure ends it, and with it the host: the pool replaces that.
  pool.run(start).catch(() => process.exit(1));
}
