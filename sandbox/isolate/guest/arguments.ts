/** Node's errors for wrong arguments, evaluated when the first is thrown. */
type Interface = typeof import('./web/interface.ts');

export const invalidArgument: Interface['invalidArgument'] = (name, expected, value) =>
  (require('./web/interface.ts') as Interface).invalidArgument(name, expected, value);
