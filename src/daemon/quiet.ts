/** Has the server give memory back when it has had nothing to do for some seconds. */
import { giveMemoryBack, QuietWatch } from '../base/give-back.ts';

export interface QuietOptions {
  /** Whether something runs, or waits. */
  readonly isBusy: () => boolean;
  /** Grows with every request. */
  readonly requests: () => number;
}

const lookMs = 5000;

/** @returns what ends the watch */
export function trimWhenQuiet({ isBusy, requests }: QuietOptions): () => void {
  const quiet = new QuietWatch(lookMs, giveMemoryBack);
  let seen = -1;
  const timer = setInterval(() => {
    if (requests() !== seen || isBusy()) quiet.touch();
    seen = requests();
  }, lookMs).unref();
  return () => {
    clearInterval(timer);
    quiet.end();
  };
}
