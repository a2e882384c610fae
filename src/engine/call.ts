/** A function call as its caller holds it: through the same queue and limits as an execution, and recorded at its end only. */
import type { Execution } from '../model/execution.ts';
import type { FunctionRequest } from '../model/task.ts';
import type { Call, CallSink, Live } from './live.ts';

export interface FunctionCall {
  /** Of the record that it will have. */
  readonly id: string;
  /** Resolves when the program has started or has ended without; rejects with a PrisnError when the call is refused. */
  readonly started: Promise<void>;
  /** Rejects as `started` does. */
  readonly ended: Promise<Execution>;
  /** So many bytes of `body` have left. */
  taken(bytes: number): void;
  cancel(): void;
}

/**
 * @param accept puts the call into the queue, or refuses it with a PrisnError
 * @param cancel ends what was accepted
 */
export function openCall(
  id: string,
  request: FunctionRequest,
  sink: CallSink,
  accept: (call: Call) => Promise<Live>,
  cancel: (live: Live) => void,
): FunctionCall {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<Execution>();
  // Whoever calls may listen to one of them only.
  for (const { promise } of [started, ended]) promise.catch(() => {});
  let live: Live | undefined;
  let isCanceled = false;
  accept({ request, sink, started: started.resolve, ended: ended.resolve }).then(
    (accepted) => {
      live = accepted;
      if (isCanceled) cancel(live);
    },
    (error: unknown) => {
      started.reject(error);
      ended.reject(error);
    },
  );
  return {
    id,
    started: started.promise,
    ended: ended.promise,
    taken: (bytes) => live?.running?.taken(bytes),
    cancel: () => {
      isCanceled = true;
      if (live) cancel(live);
    },
  };
}
