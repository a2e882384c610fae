/**
 * Whether a process of this Node may hold isolates as it is.
 *
 * isolated-vm asks for `--no-node-snapshot`, because isolates of one process share V8's read-only heap, and those made
 * from node's snapshot and those made without it must agree about it. They do where node was built without extending that
 * heap, as the official builds of 24 and 26 are, so the flag is needed elsewhere only. It costs 35 ms a start.
 */
const snapshotFlag = '--no-node-snapshot';

/** Flags that a process must be started with before it may load isolated-vm. */
export function isolateFlags(variables: object = process.config.variables): string[] {
  const extended = (variables as Record<string, unknown>)['v8_enable_extensible_ro_snapshot'];
  return extended === 0 ? [] : [snapshotFlag];
}

/** Whether this very process was started so that it may. */
export function mayHoldIsolates(): boolean {
  return isolateFlags().every((flag) => process.execArgv.includes(flag));
}
