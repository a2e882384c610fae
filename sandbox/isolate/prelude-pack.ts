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
import { warmUp } from './prelude-warm-up.ts';

const [folder = '', file = ''] = process.argv.slice(2);
const { core, parts } = await buildPrelude(folder);
const scripts = new Map(
  [...new Map([['', core], ...parts])].map(([id, code]) => [id, new vm.Script(code, { filename: nameOf(id) })]),
);
const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
const run = (id: string): unknown => scripts.get(id)?.runInContext(context);
(vm.runInContext(warmUp, context) as (boot: unknown, part: typeof run) => void)(run(''), run);
await new Promise((resolve) => setImmediate(resolve));

const pieces = [...scripts].map(([id, script]) => {
  const code = Buffer.from(id === '' ? core : (parts.get(id) ?? ''), 'latin1');
  return { id, code, cache: script.createCachedData() };
});
const index = pieces.map(({ id, code, cache }) => [id, code.length, cache.length]);
writeFileSync(
  file,
  Buffer.concat([Buffer.from(`${JSON.stringify(index)}\n`), ...pieces.flatMap(({ code, cache }) => [code, cache])]),
);
