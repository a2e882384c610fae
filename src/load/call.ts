/** What is measured: one call, which tells itself how it went. */

export interface Answered {
  /** From the moment it was sent to its end. */
  readonly ms: number;
  /** The kind of failure, in a few words that are the same for all of its kind; such calls count among the errors alone. */
  readonly failure?: string;
  /** Where the time went, ms by name, where the answer tells. */
  readonly phases?: Readonly<Record<string, number>>;
  /** There was no answer at all, so that to ask again at once would be a loop. */
  readonly isUnanswered?: boolean;
}

/** @param client from 0: of those that call at once, each has its own */
export type Call = (client: number) => Promise<Answered>;
