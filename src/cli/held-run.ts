/** The command, for prisn itself only, of a run whose limits another prisn holds from above. */
export const heldRun = 'run-below-limits';
