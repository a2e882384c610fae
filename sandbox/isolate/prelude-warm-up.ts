import { hostFunctions } from './guest/host.ts';

/**
 * What programs do most, as texts of functions that do it in a context of the prelude: V8 keeps the code of what has
 * run once, in a snapshot or in a cache, and would compile it in each new isolate otherwise.
 *
 * Their parameters: `boot` of the prelude, and what gives a part by its id where there is not all of it.
 */
const begin = `
  // V8 adds these to a context later than this runs in one for a snapshot.
  globalThis.SharedArrayBuffer ??= class {};
  Error.isError ??= () => false;
  const names = ${JSON.stringify(hostFunctions)};
  const url = '["http://localhost/?a=b","http://localhost","http:","","","localhost","localhost","","/","?a=b",""]';
  const host = { part, parseUrl: () => url, encodingOf: () => 'utf-8', decode: () => '', now: () => 0 };
  const call = (index, argument) => host[names[index]]?.(argument);
  const start = { argv: ['node', '/x.js'], env: { A: '1' }, cwd: '/', entry: '/x.js', isModule, returnsToHost: true,
    engine: '', timeOrigin: 0, colors: { stdout: false, stderr: false }, input: '{}' };
  const enter = boot(call, call, JSON.stringify(start), isModule);
  const module = globalThis[Symbol.for('prisn.module')];`;

/** What every program does. */
export const shortest = `(boot, part) => {
  const isModule = false;${begin}
  module.script(() => console.log('text'));
}`;

export const warmUp = `(boot, part) => {
  const isModule = true;${begin}
  module.script(() => {
    console.log('text', 1);
    console.log({ list: [1, 'two', null], map: new Map([[{}, new Set()]]) });
    process.env.A = process.argv[1];
    clearTimeout(setTimeout(() => {}, 1));
    queueMicrotask(() => {});
  });
  const json = '{"a":1}';
  const headers = [['content-type', 'application/json']];
  module.evaluated({ default: (input) => input });
  enter('exitCode');
  new Headers(headers).get('content-type');
  new Request('http://localhost/', { method: 'POST', headers, body: json }).json();
  Response.json({ a: 1 }, { status: 201 });
  new URL('http://localhost/?a=b').searchParams.get('a');
  new TextDecoder().decode(new TextEncoder().encode(json));
}`;
