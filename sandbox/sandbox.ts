/**
 * The port of every sandbox: start a task, hear its output, learn how it ended.
 *
 * Down go a task and a sink; up comes one outcome. `sandbox/isolate` and `sandbox/process` implement it, and one
 * contract suite (`test/sandbox/contract.test.ts`) runs against both.
 */
import type { Outcome } from '../src/model/outcome.ts';

/** Where output goes. A chunk is valid only during the call. */
export interface Sink {
  readonly stdout: (chunk: Uint8Array) => void;
  readonly stderr: (chunk: Uint8Array) => void;
}

export interface Running {
  /** Never rejects. */
  readonly exited: Promise<Outcome>;
  /** Ends the task and everything that it started; the outcome is `canceled` unless another cause came first. */
  readonly stop: () => void;
}
