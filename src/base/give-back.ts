/**
 * Memory that a quiet process gives back.
 *
 * V8 shrinks its heaps while a program allocates; a process that has nothing to do any more keeps what its busiest moment
 * took (90 MB more than at its start, after a minute of load). One collection of the last resort brings that back.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (how: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }) => void;

let collect: Collect | undefined;

/** Empties the heap of this thread of all garbage, and gives the pages back. Blocks for 10 to 50 ms. */
export function giveMemoryBack(): void {
  collect ??= collector();
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** V8 puts its function into contexts that are made while the flag is set. */
function collector(): Collect {
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('gc') as Collect;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}

/** Calls an action once each time that nothing was done for a while after something was. */
export class QuietWatch {
  readonly #ms: number;
  readonly #action: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isTouched = false;

  /** @param ms the action comes between once and twice this time after the last touch */
  constructor(ms: number, action: () => void) {
    this.#ms = ms;
    this.#action = action;
  }

  /** Something is done: costs next to nothing. */
  touch(): void {
    this.#isTouched = true;
    this.#timer ??= setInterval(() => this.#look(), this.#ms).unref();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (this.#isTouched) {
      this.#isTouched = false;
      return;
    }
    this.end();
    this.#action();
  }
}
