/**
 * Which programs a thread of an isolate host keeps, seen from the pool: each is sent to it once, and then goes by a number.
 *
 * Two tasks are calls of one program where all is the same but the execution, the request and the input: so a context is
 * seen by nobody else, and neither a changed secret nor a new revision finds an old one.
 */
import { isAscii } from 'node:buffer';
import type { FunctionRequest, IsolateTask } from '../../src/model/task.ts';
import { type CallOrder, executionVariable, type ToWorker } from './protocol.ts';

/** Programs of a thread that are remembered; the one that was called least recently is dropped. */
const maxKept = 64;

export class KeptNames {
  readonly #tell: (message: ToWorker) => void;
  /** By what makes two tasks calls of one program. */
  readonly #numbers = new Map<string, number>();
  #last = 0;

  constructor(tell: (message: ToWorker) => void) {
    this.#tell = tell;
  }

  /** Has the thread keep the program if it does not yet. @returns what calls of it name it by */
  numberOf(task: IsolateTask, maxOutputBytes: number): number {
    const identity = identityOf(task);
    let number = this.#numbers.get(identity);
    if (number === undefined) {
      number = ++this.#last;
      const { request: _request, input: _input, stdin: _stdin, ...kept } = task;
      this.#tell({ id: number, type: 'keep', order: { task: kept, asksInput: false, maxOutputBytes } });
    }
    // The newest is at the end.
    this.#numbers.delete(identity);
    this.#numbers.set(identity, number);
    this.#limit();
    return number;
  }

  #limit(): void {
    for (const [identity, number] of this.#numbers) {
      if (this.#numbers.size <= maxKept) return;
      this.#numbers.delete(identity);
      this.#tell({ id: number, type: 'drop' });
    }
  }
}

function identityOf({ keep, calledAs, args, env, cwd, returns, paced, limits }: IsolateTask): string {
  const shared = { ...env, [executionVariable]: undefined };
  return JSON.stringify([keep, calledAs, args, cwd, shared, returns, paced, limits.memoryBytes]);
}

/** What of a task is the call's own. */
export function callOf({ env, request, input, stdin }: IsolateTask): CallOrder {
  const executionId = env[executionVariable];
  if (!request) return { executionId, input: input ?? (stdin?.trim() === '' ? undefined : stdin) };
  return { executionId, head: headOf(request), body: bodyOf(request) };
}

function headOf({ method, url, headers }: FunctionRequest): string {
  return JSON.stringify([method, url, headers]);
}

/** Short text crosses threads and isolates cheaper than bytes do. */
const shortBody = 2 ** 16;

function bodyOf({ body }: FunctionRequest): string | Uint8Array {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return bytes.length <= shortBody && isAscii(bytes) ? bytes.toString('latin1') : bytes;
}
