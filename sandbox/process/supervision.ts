/**
 * What a run has that does not simply end by itself, in the foreground or recorded: a clock, limits, and one end.
 *
 * ```
 * running ──end(cause)──▶ ending ──root exits, or the grace is over──▶ settled
 *    └───────────────────── root exits ──────────────────────────────────▶
 * ```
 * The first cause wins, also over the exit code of a program that catches SIGTERM and leaves with 0.
 */
import { canceled, type Outcome, outOfMemory, timedOut } from '../../src/model/outcome.ts';
import type { Limits } from '../../src/model/task.ts';
import type { Enforcement } from './limits.ts';
import type { TreeSpec } from '../proc.ts';
import { Tree } from './tree.ts';

type Cause = 'timeout' | 'memory' | 'canceled';

/** Time between SIGTERM and SIGKILL: enough to write a file and say goodbye, short enough to wait for at a terminal. */
export const graceMs = 2000;

export class Supervision {
  readonly #limits: Limits;
  readonly #tree: Tree;
  readonly #enforcement: Enforcement | undefined;
  readonly #onKilled: (() => void) | undefined;
  readonly #clock: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;
  #cause: Cause | undefined;

  /**
   * Takes charge of a program, right after its start; it may have ended by now.
   * @param onKilled called when it was ended by force, for where nobody else tells that the root is gone
   */
  constructor(limits: Limits, tree: TreeSpec, enforcement?: Enforcement, onKilled?: () => void) {
    this.#limits = limits;
    this.#onKilled = onKilled;
    this.#enforcement = enforcement;
    this.#tree = new Tree(tree);
    enforcement?.watch(this.#tree, () => this.end('memory'));
    if (limits.timeoutMs !== undefined) this.#clock = setTimeout(() => this.end('timeout'), limits.timeoutMs);
  }

  /** Ends the tree: at once when memory ran out, else with SIGTERM, a grace, and SIGKILL. The root's exit ends the grace. */
  end(cause: Cause): void {
    if (this.#cause) return;
    this.#cause = cause;
    if (cause === 'memory') return void this.#kill();
    // A stopped process acts on SIGTERM only when it continues. Who has not begun has nothing to say goodbye to.
    if (!this.#tree.signal('SIGTERM', 'SIGCONT')) return void this.#kill();
    this.#grace = setTimeout(() => void this.#kill(), graceMs);
  }

  async #kill(): Promise<void> {
    await this.#tree.kill();
    this.#onKilled?.();
  }

  /**
   * To be called when the root has exited.
   * @param own how it ended by itself
   * @param whole whether the rest of the tree ends with it in any case
   * @returns how the run ended
   */
  async settle(own: Outcome, whole: boolean): Promise<Outcome> {
    clearTimeout(this.#clock);
    clearTimeout(this.#grace);
    if (this.#enforcement?.exceeded) this.#cause ??= 'memory';
    // A cgroup has nobody to hold its limits once we are gone, and cannot be removed before its members.
    if (this.#cause) await this.#tree.kill();
    else if (whole || this.#enforcement) await this.#tree.clear();
    this.#enforcement?.release();
    return this.#cause ? outcomeOf(this.#cause, this.#limits) : own;
  }
}

/** How a run ended that was ended. */
export function outcomeOf(cause: Cause, { timeoutMs = 0, memoryBytes = 0 }: Limits): Outcome {
  switch (cause) {
    case 'timeout':
      return timedOut(timeoutMs);
    case 'memory':
      return outOfMemory(memoryBytes);
    case 'canceled':
      return canceled;
    default:
      return cause satisfies never;
  }
}
