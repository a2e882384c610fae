import { PrisnError } from '../base/error.ts';

/** The installer's last lines, for people who want more than the message. */
export class DependencyError extends PrisnError {
  readonly tail: readonly string[];

  constructor(message: string, tail: readonly string[], cause?: unknown) {
    super('dependency', message, { cause });
    this.tail = tail;
  }
}
