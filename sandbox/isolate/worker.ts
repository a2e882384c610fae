/** The entry of a thread of an isolate host: runs a program in an isolate of its own. */
import type { MessagePort } from 'node:worker_threads';
import type { IsolateTask } from '../../src/model/task.ts';
import { OutputBuffer } from './output-buffer.ts';
import { loadPrelude } from './prelude.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { Session } from './session.ts';

/** Heap of a program that asks for no limit of its own. */
const defaultHeapBytes = 128 * 2 ** 20;

export default async function runTask({ task, port }: { task: IsolateTask; port: MessagePort }): Promise<void> {
  const post = (message: FromWorker): void => port.postMessage(message);
  const output = new OutputBuffer((fd, data) => post({ fd, data }));
  const session = new Session(
    task,
    { write: (fd, data) => output.write(fd, data), readInput: () => undefined, colors: { stdout: false, stderr: false } },
    { prelude: await loadPrelude(), blocking: false, heapBytes: task.limits.memoryBytes ?? defaultHeapBytes },
  );
  port.on('message', ({ outcome }: ToWorker) => session.end(outcome));
  const outcome = await session.start();
  // A thread that does not come back must not look like a program that has ended: the pool's watch waits for this.
  await session.released;
  output.flush();
  post({ outcome });
  port.close();
}
