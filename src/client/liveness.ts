/**
 * Whether a server is still there while an answer of it may take any time: the end of an execution, the next line of a log, what
 * it makes of an upload.
 *
 * Such an answer is silent for as long as the program is, so silence tells nothing. The server is asked something short beside
 * it, again and again; once that gets no answer, what waits is ended with the reason.
 */
export interface Watch {
  /** Aborted with what `ask` failed with, or as the signal that was given. */
  readonly signal: AbortSignal;
  end(): void;
}

const everyMs = 30_000;

/** @param ask rejects when no answer comes, in that time at the latest @param signal of the caller's own */
export function watchServer(ask: () => Promise<unknown>, signal?: AbortSignal): Watch {
  const lost = new AbortController();
  const timer = setInterval(() => void ask().catch((error: unknown) => lost.abort(error)), everyMs);
  return { signal: signal ? AbortSignal.any([signal, lost.signal]) : lost.signal, end: () => clearInterval(timer) };
}
