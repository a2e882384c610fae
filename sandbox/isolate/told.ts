/** What one program in an isolate host has of the world outside: all of it is told to the pool, and answered from there. */
import { Gate } from './gate.ts';
import { Outbox } from './outbox.ts';
import type { Answer, Order, Report } from './protocol.ts';
import type { SessionIo } from './session-io.ts';

export class Told {
  readonly outbox: Outbox;
  readonly io: SessionIo;
  readonly #gate: Gate | undefined;
  readonly #proceed = Promise.withResolvers<void>();
  #answerInput: (text: string | undefined) => void = () => {};

  /** @param gate of a program that serves one call after the other, each of which is told apart */
  constructor({ task, asksInput, maxOutputBytes }: Order, send: (reports: readonly Report[]) => void, gate?: Gate) {
    this.outbox = new Outbox(send, task.paced ? Number.POSITIVE_INFINITY : maxOutputBytes);
    this.#gate = gate ?? (task.paced ? new Gate() : undefined);
    this.io = {
      write: (fd, data) => this.#write(fd, data),
      answer: (head, data) => {
        this.outbox.tell({ type: 'answer', head, data });
        this.#gate?.sent(data.length);
      },
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

  hear(message: Answer): void {
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
