import { PrisnError } from '../base/error.ts';

/** An environment that could not be prepared, with the installer's last lines for people who want more than the message. */
export class DependencyError extends PrisnError {
  readonly tail: readonly string[];

  constructor(message: string, tail: readonly string[] = [], cause?: unknown) {
    super('dependency', message, { cause });
    this.tail = tail;
  }
}

/** Of any error: the last lines of an installer that failed. */
export function tailOf(error: unknown): readonly string[] {
  return error instanceof PrisnError && 'tail' in error ? (error as DependencyError).tail : [];
}
