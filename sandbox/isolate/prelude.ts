/**
 * The guest's prelude as it reaches an isolate: one script and V8's code cache for it.
 *
 * `npm run build` makes both. A checkout that runs from source has neither and bundles the script when it is first
 * needed. V8 refuses a cache of another version of itself and compiles, so a cache is never wrong, only useless.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Prelude {
  readonly code: string;
  readonly cachedData?: ArrayBuffer;
}

const built = fileURLToPath(new URL('./prelude.guest.js', import.meta.url));
let loaded: Prelude | undefined;

export async function loadPrelude(): Promise<Prelude> {
  loaded ??= existsSync(built)
    ? { code: readFileSync(built, 'latin1'), cachedData: bytes(readFileSync(built.replace(/\.js$/, '.cache'))) }
    : { code: await buildPrelude(fileURLToPath(new URL('./guest/prelude.ts', import.meta.url))) };
  return loaded;
}

/** Bundles the guest's sources. @returns ASCII text whose value, as a script, is `boot` of `guest/prelude.ts` */
export async function buildPrelude(entry: string): Promise<string> {
  const [{ build }, { nodeSources }] = await Promise.all([import('esbuild'), import('./node-sources.ts')]);
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    plugins: [nodeSources],
    write: false,
    format: 'iife',
    globalName: 'prelude',
    footer: { js: 'prelude.boot' },
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2024',
    charset: 'ascii',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  // A global `var` would stay behind in the context of every program.
  return `(()=>{${(result.outputFiles[0]?.text ?? '').replace(/prelude\.boot;?\s*$/, 'return prelude.boot')}})()`;
}

function bytes(buffer: Buffer): ArrayBuffer {
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength) as ArrayBuffer;
}
