/** Two ends of an analysis that no later step can change: they are thrown where they are found. */

/** The program fails before it starts, whatever runs it. The message is complete: it is what the user reads. */
export class ProgramFailure extends Error {
  override readonly name = 'ProgramFailure';
}

/** A file on which only node can tell what happens. The message completes "src/x.js …". */
export class NodeOnly extends Error {
  override readonly name = 'NodeOnly';
}
