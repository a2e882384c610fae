/** Has the server give memory back when it has had nothing to do for some seconds. */
import { giveMemoryBack } from '../base/give-back.ts';

export interface QuietOptions {
  /** Whether something runs, or waits. */
  readonly isBusy: () => boolean;
  /** Grows with every request. */
  readonly requests: () => number;
}

const lookMs = 2000;

/**
 * Memory is given back once, 2 to 4 s after the last that was to be done: at the first look that finds nothing busy and no
 * request since the look before, which found nothing busy either.
 * @returns what ends the watch
 */
export function trimWhenQuiet({ isBusy, requests }: QuietOptions): () => void {
  /** Nothing while something is busy. */
  let seen: number | undefined;
  let isGivenBack = false;
  const timer = setInterval(() => {
    const idleAt = isBusy() ? undefined : requests();
    const isQuiet = idleAt !== undefined && idleAt === seen;
    seen = idleAt;
    if (isQuiet && !isGivenBack) giveMemoryBack();
    isGivenBack = isQuiet;
  }, lookMs).unref();
  return () => clearInterval(timer);
}
