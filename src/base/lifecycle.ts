/** What was opened is closed in the reverse order, on a stop as well as on a start that failed half-way. */
import { messageOf } from './error.ts';

/** A step that takes longer is left behind: one part that hangs must not keep the others open. */
const standardMs = 10_000;

export class CleanUps {
  readonly #steps: { readonly what: string; readonly clean: () => unknown; readonly withinMs: number }[] = [];
  readonly #report: (problem: string) => void;
  #unwound: Promise<void> | undefined;

  /** @param report is told of a step that failed or did not come to its end */
  constructor(report: (problem: string) => void) {
    this.#report = report;
  }

  /** To be called the moment the thing exists. @param what names it in a report */
  push(what: string, clean: () => unknown, withinMs = standardMs): void {
    if (this.#unwound) throw new TypeError(`${what} came after the end`);
    this.#steps.push({ what, clean, withinMs });
  }

  /** Runs all steps, the last one first. Never rejects; a second call gets the same promise. */
  unwind(): Promise<void> {
    this.#unwound ??= this.#run();
    return this.#unwound;
  }

  async #run(): Promise<void> {
    for (const { what, clean, withinMs } of this.#steps.toReversed()) {
      try {
        await within(withinMs, clean());
      } catch (error) {
        this.#report(`${what}: ${messageOf(error)}`);
      }
    }
  }
}

/**
 * Builds something of several parts: when it fails half-way, what was opened is closed again before the error goes on.
 * @param build pushes the clean-up of each part as it opens it
 */
export async function build<T>(cleanUps: CleanUps, build: () => Promise<T>): Promise<T> {
  try {
    return await build();
  } catch (error) {
    await cleanUps.unwind();
    throw error;
  }
}

async function within(ms: number, step: unknown): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`did not end within ${ms / 1000} s`)), ms);
  try {
    await Promise.race([step, late]);
  } finally {
    clearTimeout(timer);
  }
}
