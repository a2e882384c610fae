/** The server's own log: the shape of pino's, which the daemon hands in. */
type Write = (fields: object, message: string) => void;

export interface Log {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  /** Whether what is said at this level is written, so that it is worth putting together. */
  readonly isLevelEnabled: (level: 'debug') => boolean;
}
