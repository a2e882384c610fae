/** The error for whatever would be, or would take, a stream. */
export function streamsAbsent(what: string): Error {
  return new TypeError(`${what} needs streams, which an isolate does not have; run the script with --runtime node`);
}
