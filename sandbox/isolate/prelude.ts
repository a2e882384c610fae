/**
 * The guest's prelude as it reaches an isolate: one script and V8's code cache for it.
 *
 * `npm run build` makes both. A checkout that runs from source has neither and bundles the script when it is first
 * needed. V8 refuses a cache of another version of itself and compiles, so a cache is never wrong, only useless.
 *
 * A process that makes many contexts has V8 keep one in which the script has run already: a fresh context with the platform
 * in it then costs 0.6 ms where it costs 1.0 by the script (0.4 without any). Such a snapshot is made when the process
 * starts (15 ms), as V8 ends the process over one of another version.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ivm from 'isolated-vm';

/** The code's value, as a script, is `boot` of `guest/prelude.ts`. */
export interface Prelude {
  readonly code: string;
  readonly cachedData?: ArrayBuffer;
  /** Every context is made from it. */
  readonly snapshot?: ivm.ExternalCopy<ArrayBuffer>;
}

const built = fileURLToPath(new URL('./prelude.guest.js', import.meta.url));
let loaded: Prelude | undefined;

export async function loadPrelude(): Promise<Prelude> {
  loaded ??= existsSync(built)
    ? { code: readFileSync(built, 'latin1'), cachedData: bytes(readFileSync(built.replace(/\.js$/, '.cache'))) }
    : { code: await buildPrelude(fileURLToPath(new URL('./guest/prelude.ts', import.meta.url))) };
  return loaded;
}

/** Where a context of the snapshot has `boot`, until it is taken. */
const bootKey = "Symbol.for('prisn.boot')";

/** A snapshot of V8's that holds what the prelude makes of a context. */
export function snapshotOf({ code }: Prelude): ArrayBuffer {
  const script = { code: `globalThis[${bootKey}] = ${code}`, filename: 'prisn:prelude' };
  return ivm.Isolate.createSnapshot([script]).copy();
}

/** @param bytes of `snapshotOf`, made by this very process */
export function preludeOf(bytes: ArrayBuffer): Prelude {
  const take = `(() => { const boot = globalThis[${bootKey}]; delete globalThis[${bootKey}]; return boot; })()`;
  return { code: take, snapshot: new ivm.ExternalCopy(bytes) };
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
