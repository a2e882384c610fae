/**
 * Node's own formatter, for the guest: `import { load } from 'node-source:internal/util/inspect'`.
 *
 * What `console.log` prints is defined by nothing but node's source, so no imitation stays equal to it for long. That
 * source is part of every node binary; the build takes it from the node that builds the prelude, and the guest hands it
 * the few bindings that it asks for (`inspect-bindings.ts`). It is node's (MIT licence), not ours, and not in the
 * repository. A node whose formatter needs a binding that is not there fails the tests by name, not a user.
 */
export const nodeSourcePrefix = 'node-source:';

/** The parameters with which node itself wraps its sources; each module names the ones that it uses. */
const parameters = 'exports, require, module, process, internalBinding, primordials';

/** @returns a CommonJS module whose `load` evaluates node's internal module `id` */
export function nodeSource(id: string): string {
  const { binding } = process as unknown as { binding(name: 'natives'): Readonly<Record<string, string>> };
  const source = binding.call(process, 'natives')[id];
  if (source === undefined)
    throw new Error(`node ${process.version} has no internal module ${id}: build with the node of package.json`);
  return `exports.load = function (${parameters}) {${source}\n}`;
}
