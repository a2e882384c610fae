/**
 * The entry of an isolate host: a child process that holds isolates, so that what kills or hangs them kills it and not
 * the one who started it.
 *
 * Its main thread only passes messages on, those of one turn of its loop at once. The threads of the pool are event loops,
 * each with several programs at once whose isolates run on threads of isolated-vm's: a program that never returns keeps
 * its isolate busy, not its neighbours.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { messageOf } from '../../src/base/error.ts';
import { exitCodes } from '../../src/base/exit-codes.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import { siblingPath } from '../sibling.ts';
import { type FromHost, type FromWorker, type Order, threadsVariable, type ToHost } from './protocol.ts';

/** Programs at once in a thread: enough that sixteen endless loops do not keep a quick one out (12 ms, measured). */
const tasksPerThread = 16;

const threads = Number(process.env[threadsVariable]);
const pool = new Piscina({
  filename: siblingPath(import.meta.url, 'worker'),
  minThreads: threads,
  maxThreads: threads,
  concurrentTasksPerWorker: tasksPerThread,
  idleTimeout: Number.POSITIVE_INFINITY,
});
const ports = new Map<number, MessagePort>();
let gathered: FromHost[number][] = [];

function tell(id: number, reports: FromWorker): void {
  if (gathered.length === 0) setImmediate(send);
  gathered.push([id, reports]);
}

function send(): void {
  const batch: FromHost = gathered;
  gathered = [];
  process.send?.(batch, undefined, undefined, () => {
    // The parent is gone, and `disconnect` ends this process.
  });
}

/** Piscina derives its type from the first overload of `postMessage`, which is another. */
type TransferList = NonNullable<NonNullable<Parameters<Piscina['run']>[1]>['transferList']>;

function run(id: number, order: Order): void {
  const { port1, port2 } = new MessageChannel();
  ports.set(id, port1);
  port1.on('message', (reports: FromWorker) => {
    tell(id, reports);
    if (reports.at(-1)?.type === 'ended') forget();
  });
  const forget = (): boolean => {
    port1.close();
    return ports.delete(id);
  };
  pool.run({ order, port: port2 }, { transferList: [port2] as unknown as TransferList }).catch((error: unknown) => {
    const outcome: Outcome = { reason: 'crashed', exitCode: exitCodes.failed, message: messageOf(error) };
    if (forget()) tell(id, [{ type: 'ended', outcome, ranAtMs: undefined }]);
  });
}

process.on('message', (message: ToHost) => {
  if (message.type === 'run') run(message.id, message.order);
  else ports.get(message.id)?.postMessage(message.message);
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
