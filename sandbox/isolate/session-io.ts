/** What a session's program has of the world outside. */
import type { FunctionHead } from '../../src/model/task.ts';

export interface SessionIo {
  readonly write: (fd: 1 | 2, data: string | Uint8Array) => void;
  /** Answers with standard input, read to its end, for a default export that is a function; undefined when there is none. */
  readonly readInput: (answer: (text: string | undefined) => void) => void;
  readonly colors: { readonly stdout: boolean; readonly stderr: boolean };
  /** Of a program that answers a request: all at once, in place of `head` and `body`. */
  readonly answer?: (head: FunctionHead, body: Uint8Array) => void;
  /** Of a program that answers a request: once, before any `body`. */
  readonly head?: (head: FunctionHead) => void;
  /** An empty one is the end of the response. */
  readonly body?: (chunk: Uint8Array) => void;
  /** Asked once, before the program has its first effect outside, which waits for it. */
  readonly beforeActing?: () => Promise<void>;
  /** Holds the program back (`gate.ts`). */
  readonly gate?: SharedArrayBuffer;
}
