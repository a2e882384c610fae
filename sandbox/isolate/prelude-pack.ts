/**
 * Writes the built prelude: `node --no-node-snapshot prelude-pack.js <folder of the guest> <file>`.
 *
 * isolated-vm makes caches of code that has not run, without the functions in it, so they come from a context of this
 * process. V8 takes a cache in isolates of the same snapshot only, and isolated-vm's are not made from node's: hence the flag.
 */
import { writeFileSync } from 'node:fs';
import vm from 'node:vm';
import { nameOf } from './prelude.ts';
import { buildPrelude } from './prelude-build.ts';
import { shortest, warmUp } from './prelude-warm-up.ts';

const [folder = '', file = ''] = process.argv.slice(2);
const { core, parts } = await buildPrelude(folder);
const scripts = new Map(
  [...new Map([['', core], ...parts])].map(([id, code]) => [id, new vm.Script(code, { filename: nameOf(id) })]),
);
let context: vm.Context;
const run = (id: string): unknown => scripts.get(id)?.runInContext(context);
const warm = (text: string): void => {
  context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
  (vm.runInContext(text, context) as (...given: unknown[]) => void)(run(''), run);
};
// Every program pays for the size of the core's, so that has only what all programs run.
warm(shortest);
const ofCore = scripts.get('')?.createCachedData();
warm(warmUp);
await new Promise((resolve) => setImmediate(resolve));

const pieces = [...scripts].map(([id, script]) => {
  const code = Buffer.from(parts.get(id) ?? core, 'latin1');
  return { id, code, cache: (id === '' && ofCore) || script.createCachedData() };
});
const index = pieces.map(({ id, code, cache }) => [id, code.length, cache.length]);
writeFileSync(
  file,
  Buffer.concat([Buffer.from(`${JSON.stringify(index)}\n`), ...pieces.flatMap(({ code, cache }) => [code, cache])]),
);
