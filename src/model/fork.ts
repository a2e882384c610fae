/** What is asked of fork servers, and what one can serve. */

/** To run a program of an interpreter. */
export interface ForkRequest {
  /** Who trusts whom. */
  readonly domain: string;
  /** Absolute path. */
  readonly interpreter: string;
  /** The program's, whole. */
  readonly env: Readonly<Record<string, string>>;
}

/** Runs that one server can have. */
export interface ForkKind extends ForkRequest {
  /** In the foreground a program is its caller's own, without what stands around a recorded one. */
  readonly way: 'foreground' | 'recorded';
  /** The variables that act before a program does. */
  readonly env: ForkRequest['env'];
}
