/** The entry of a thread of an isolate host: runs a program in an isolate of its own. */
import type { MessagePort } from 'node:worker_threads';
import { Gate } from './gate.ts';
import { Outbox } from './outbox.ts';
import { loadPrelude } from './prelude.ts';
import type { FromWorker, Order, Report, ToWorker } from './protocol.ts';
import { Session } from './session.ts';
import type { SessionIo } from './session-io.ts';

/** Heap of a program that asks for no limit of its own. */
const defaultHeapBytes = 128 * 2 ** 20;

const prelude = await loadPrelude();

export default async function runTask({ order, port }: { order: Order; port: MessagePort }): Promise<void> {
  const { task } = order;
  const told = new Told(order, (reports) => port.postMessage(reports));
  const session = new Session(task, told.io, {
    prelude,
    blocking: false,
    heapBytes: task.limits.memoryBytes ?? defaultHeapBytes,
  });
  port.on('message', (message: ToWorker) => {
    if (message.type === 'end') session.end(message.outcome);
    else told.hear(message);
  });
  const outcome = await session.start();
  // A thread that does not come back must not look like a program that has ended: the pool's watch waits for this.
  await session.released;
  told.outbox.tell({ type: 'ended', outcome, ranAtMs: session.ranAtMs });
  told.outbox.flush();
  port.close();
}

/** What one program has of the world outside: all of it is told to the pool, and answered from there. */
class Told {
  readonly outbox: Outbox;
  readonly io: SessionIo;
  readonly #gate: Gate | undefined;
  readonly #proceed = Promise.withResolvers<void>();
  #answerInput: (text: string | undefined) => void = () => {};

  constructor({ task, asksInput, maxOutputBytes }: Order, send: (reports: FromWorker) => void) {
    this.outbox = new Outbox(send, task.paced ? Number.POSITIVE_INFINITY : maxOutputBytes);
    this.#gate = task.paced ? new Gate() : undefined;
    this.io = {
      write: (fd, data) => this.#write(fd, data),
      head: (head) => this.outbox.tell({ type: 'head', head }),
      body: (data) => this.#body(data),
      readInput: (answer) => {
        if (task.stdin !== undefined || !asksInput) return answer(task.stdin);
        this.#answerInput = answer;
        this.#tellNow({ type: 'inputWanted' });
      },
      colors: task.colors ?? { stdout: false, stderr: false },
      beforeActing: () => {
        this.#tellNow({ type: 'acts' });
        return this.#proceed.promise;
      },
      ...(this.#gate && { gate: this.#gate.shared }),
    };
  }

  hear(message: Exclude<ToWorker, { type: 'end' }>): void {
    if (message.type === 'taken') this.#gate?.taken(message.bytes);
    else if (message.type === 'input') this.#answerInput(message.text);
    else this.#proceed.resolve();
  }

  #write(fd: 1 | 2, data: string | Uint8Array): void {
    const bytes = this.outbox.write(fd, data);
    this.#gate?.sent(bytes);
  }

  #body(data: Uint8Array): void {
    if (data.length === 0) return this.outbox.tell({ type: 'body', data });
    this.outbox.body(data);
    this.#gate?.sent(data.length);
  }

  /** What is waited for is not held back. */
  #tellNow(report: Report): void {
    this.outbox.tell(report);
    this.outbox.flush();
  }
}
