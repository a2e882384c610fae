/**
 * What the program of a function call says, made into an answer. Until its head is decided a failure can still be told by a
 * status; afterwards only by an end that is none, so the body fails and the connection is cut.
 */
import { STATUS_CODES } from 'node:http';
import { messageOf } from '../base/error.ts';
import type { Execution } from '../model/execution.ts';
import type { Reason } from '../model/outcome.ts';
import type { FunctionHead } from '../model/task.ts';
import { CgiReader } from './cgi.ts';
import type { CallSink } from './live.ts';
import type { WorkloadKind } from './ports.ts';
import type { ResponseBody } from './response-body.ts';
import { safeHead } from './response-head.ts';

const shownErrorBytes = 4096;
const shownErrorLines = 20;

export class Answer {
  /** Takes what the program says. */
  readonly sink: CallSink;
  readonly head: Promise<FunctionHead>;
  readonly #kind: WorkloadKind;
  readonly #body: ResponseBody;
  readonly #decide: (head: FunctionHead) => void;
  readonly #stop: () => void;
  readonly #isPublic: boolean;
  #state: 'undecided' | 'answered' | 'refused' = 'undecided';
  #cgi: CgiReader | undefined;
  #stderr: Buffer = Buffer.alloc(0);

  /**
   * @param stop ends the program, whose answer is not wanted any more
   * @param isPublic whether its client may be anybody, who is not told why a program failed
   */
  constructor(kind: WorkloadKind, body: ResponseBody, stop: () => void, isPublic: boolean) {
    const { promise, resolve } = Promise.withResolvers<FunctionHead>();
    this.head = promise;
    this.#decide = resolve;
    this.#kind = kind;
    this.#body = body;
    this.#stop = stop;
    this.#isPublic = isPublic;
    const stderr = (chunk: Uint8Array): void => this.#keepError(chunk);
    this.sink = kind === 'isolate' ? this.#handlerSink(stderr) : this.#cgiSink(stderr);
  }

  /** The program has ended. */
  ended(execution: Execution): void {
    if (this.#body.hasEnded) return;
    const { status, reason, id } = execution;
    if (status === 'Completed' && this.#cgi) {
      this.#cgi.end();
      this.#body.end();
    } else if (status === 'Completed') this.#fail(502, 'invalid', `execution ${id} ended without an answer`);
    else this.#fail(this.#statusOf(execution), reason ?? 'crashed', this.#sayWhy(execution));
  }

  /** What a handler prints goes to its log; an empty piece of the body is its end. */
  #handlerSink(stderr: CallSink['stderr']): CallSink {
    return {
      stdout: () => {},
      stderr,
      head: (head) => this.#start(head),
      body: (chunk) => {
        if (this.#state !== 'answered') return;
        if (chunk.length === 0) this.#body.end();
        else this.#body.push(chunk);
      },
    };
  }

  #cgiSink(stderr: CallSink['stderr']): CallSink {
    const cgi = new CgiReader({
      head: (head) => this.#start(head),
      body: (chunk) => this.#body.push(chunk),
      invalid: (why) => this.#refuse(why),
    });
    this.#cgi = cgi;
    return { stdout: (chunk) => cgi.write(chunk), stderr };
  }

  #start(head: FunctionHead): void {
    if (this.#state !== 'undecided') return;
    try {
      this.#decide(safeHead(head));
      this.#state = 'answered';
    } catch (error) {
      this.#refuse(messageOf(error));
    }
  }

  #refuse(why: string): void {
    this.#fail(502, 'invalid', why);
    this.#stop();
  }

  /** Errors of functions look like those of the API; their code is the reason of the execution. */
  #fail(status: number, code: Reason, message: string): void {
    if (this.#state !== 'undecided') return this.#body.fail(new Error(message));
    this.#state = 'refused';
    const body = Buffer.from(JSON.stringify({ error: STATUS_CODES[status], code, message }));
    this.#decide({
      status,
      headers: [
        ['content-type', 'application/json; charset=utf-8'],
        ['content-length', String(body.length)],
        ...(status === 503 ? [['retry-after', '2'] as const] : []),
      ],
    });
    this.#body.push(body);
    this.#body.end();
  }

  /** An exception of a handler is an error of this server's, as far as its clients can see; all others are of a gateway's. */
  #statusOf({ reason }: Execution): number {
    if (reason === 'timeout') return 504;
    if (reason === 'interrupted') return 503;
    return reason === 'exit' && this.#kind === 'isolate' ? 500 : 502;
  }

  #sayWhy({ id, reason, exit_code, error }: Execution): string {
    if (this.#isPublic) return `execution ${id} failed; its log has more`;
    const cause = reason === 'exit' ? `exited with ${exit_code}` : `failed (${reason})${error === undefined ? '' : `: ${error}`}`;
    const lines = this.#stderr.toString().trimEnd().split('\n').slice(-shownErrorLines).join('\n');
    return `execution ${id} ${cause}${lines === '' ? '' : `\n${lines}`}`;
  }

  #keepError(chunk: Uint8Array): void {
    const all = Buffer.concat([this.#stderr, chunk.subarray(-shownErrorBytes)]);
    this.#stderr = all.subarray(-shownErrorBytes);
  }
}
