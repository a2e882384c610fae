/**
 * `util.inspect` and `util.format`, by node's own source (`node-sources.ts`).
 *
 * Evaluated when a program first prints something that is not a string: the file that wants it requires it then. The
 * sources capture every built-in that they use at that moment, so what the program does to a prototype later does not
 * change how it is shown.
 */
import { load as loadTable } from 'node-source:internal/cli_table';
import { load as loadInspect } from 'node-source:internal/util/inspect';
import { internalBinding, internalRequire } from './inspect-bindings.ts';
import { primordials } from './inspect-primordials.ts';

export interface InspectOptions {
  readonly [option: string]: unknown;
}

interface NodeInspect {
  inspect(value: unknown, options?: InspectOptions): string;
  format(...args: unknown[]): string;
  formatWithOptions(options: InspectOptions, ...args: unknown[]): string;
}

const process = { cwd: () => (globalThis as unknown as { process: { cwd(): string } }).process.cwd() };

function evaluate<T>(load: typeof loadInspect, require: (id: string) => unknown): T {
  const module: { exports: unknown } = { exports: {} };
  load(module.exports as object, require, module, process, internalBinding, primordials);
  return module.exports as T;
}

const node = evaluate<NodeInspect>(loadInspect, internalRequire);

/** Text for a value as node shows it; `options` are those of `util.inspect` (https://nodejs.org/api/util.html#utilinspectobject-options). */
export const { inspect } = node;
/** `util.format`: a template with `%s %d %i %f %j %o %O %c %%`, or values in a row. */
export const { format } = node;
/** `util.format` with options for the values that are inspected. */
export const { formatWithOptions } = node;
/** A table of `columns` (each its cells from the top) below their `head`. */
export const renderTable = evaluate<(head: readonly string[], columns: readonly (readonly string[])[]) => string>(
  loadTable,
  () => node,
);

export { internalBinding } from './inspect-bindings.ts';
export { types } from './inspect-types.ts';
