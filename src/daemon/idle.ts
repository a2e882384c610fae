/** Notices that a server is of no use any more. */

export interface IdleOptions {
  readonly idleMs: number;
  /** Whether something runs, waits, is deployed or is being answered. */
  readonly isBusy: () => Promise<boolean>;
  /** Whether a command would find it: its home may be gone. */
  readonly isFound: () => boolean;
  /** Grows with every request, so that one between two looks is seen. */
  readonly requests: () => number;
  readonly onIdle: () => void;
}

/** Calls `onIdle` once, when there was nothing to do for `idleMs`, or nobody finds it. @returns what ends the watch */
export function watchIdle({ idleMs, isBusy, isFound, requests, onIdle }: IdleOptions): () => void {
  let busyAt = performance.now();
  let seen = requests();
  const look = async (): Promise<void> => {
    const now = requests();
    if (now !== seen || (await isBusy())) busyAt = performance.now();
    seen = now;
    if (performance.now() - busyAt < idleMs && isFound()) return;
    clearInterval(timer);
    onIdle();
  };
  // A store that fails for a moment is no reason to leave.
  const timer = setInterval(() => void look().catch(() => undefined), Math.min(10_000, Math.max(50, idleMs / 10)));
  return () => clearInterval(timer);
}
