/** Time as the engine takes it, so that a test can own it. */
export interface Clock {
  /** ms since 1970. */
  now(): number;
  /** ms that only grow, from any beginning. */
  elapsed(): number;
  /** Calls once, after so many ms. @returns what calls it off */
  after(ms: number, action: () => void): () => void;
}

/** setTimeout holds 31 bits of milliseconds. */
const longestMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, Math.min(ms, longestMs));
    return () => clearTimeout(timer);
  },
};

/** Resolves when the promise settles or the time is over, whichever is first. Never rejects. */
export function within(clock: Clock, ms: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const callOff = clock.after(ms, resolve);
    const done = (): void => {
      callOff();
      resolve();
    };
    promise.then(done, done);
  });
}
