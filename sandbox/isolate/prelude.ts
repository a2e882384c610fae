/**
 * The guest's platform as it reaches an isolate: a core, and parts that a program may come to need (`prelude-build.ts`).
 *
 * `npm run build` makes both, with V8's code cache of each. A checkout that runs from source has neither and makes the
 * scripts when the first is needed. V8 refuses a cache of another version of itself and compiles, so a cache is never
 * wrong, only useless.
 *
 * An isolate of its own for a program gets the core, and asks for parts while the program runs: that works where entries
 * block the thread, since it is this one then that has the isolate. A process that makes many contexts has V8 keep one in
 * which the core has run and what most programs need is evaluated. Such a snapshot is made when the process starts
 * (20 ms), as V8 ends the process over one of another version.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ivm from 'isolated-vm';
import { warmUp } from './prelude-warm-up.ts';

interface Script {
  readonly code: string;
  readonly cachedData?: ArrayBuffer;
}

/** A module function of the guest's by its id. */
type Parts = ReadonlyMap<string, () => Script>;

export interface Prelude {
  /** Its value in a context is `boot` of `guest/prelude.ts`. */
  readonly opening: Script;
  /** What a context may ask for; one of a snapshot has all. */
  readonly parts?: Parts;
  /** Every context is made from it. */
  readonly snapshot?: ivm.ExternalCopy<ArrayBuffer>;
}

interface Scripts {
  readonly core: Script;
  readonly parts: Parts;
}

const built = fileURLToPath(new URL('./prelude.guest', import.meta.url));
let loaded: Scripts | undefined;

async function load(): Promise<Scripts> {
  loaded ??= existsSync(built) ? unpacked(readFileSync(built)) : await fromSource();
  return loaded;
}

async function fromSource(): Promise<Scripts> {
  const { buildPrelude } = await import('./prelude-build.ts');
  const { core, parts } = await buildPrelude(fileURLToPath(new URL('./guest', import.meta.url)));
  return { core: { code: core }, parts: new Map([...parts].map(([id, code]) => [id, () => ({ code })])) };
}

/** The prelude of an isolate that has one program. */
export async function loadPrelude(): Promise<Prelude> {
  const { core, parts } = await load();
  return { opening: core, parts };
}

/** Where a context of the snapshot has the core, until that is taken. */
const coreKey = "globalThis[Symbol.for('prisn.core')]";

/**
 * A snapshot of V8's that holds what the core makes of a context, all parts, and of these what is evaluated ahead.
 * @param kind whether the interfaces of fetch belong to that
 */
export async function makeSnapshot(kind: 'plain' | 'web' = 'plain'): Promise<ArrayBuffer> {
  const { core, parts } = await load();
  const scripts = [
    { code: `${coreKey} = ${core.code}`, filename: nameOf() },
    ...[...parts].map(([id, script]) => ({
      code: `${coreKey}.define(${JSON.stringify(id)},${script().code})`,
      filename: nameOf(id),
    })),
    { code: `${coreKey}.ahead(${kind === 'web'})` },
  ];
  return ivm.Isolate.createSnapshot(scripts, `(${warmUp})(${coreKey})`).copy();
}

/** @param bytes of `makeSnapshot`, made by this very process */
export function preludeOf(bytes: ArrayBuffer): Prelude {
  const code = `(() => { const boot = ${coreKey}; delete ${coreKey}; return boot; })()`;
  return { opening: { code }, snapshot: new ivm.ExternalCopy(bytes) };
}

/** Stack traces leave out what begins like this. @param id of a part; the core without */
export function nameOf(id = 'core'): string {
  return `prisn:${id}`;
}

export function compile(isolate: ivm.Isolate, { code, cachedData }: Script, id?: string): ivm.Script {
  return isolate.compileScriptSync(code, {
    filename: nameOf(id),
    ...(cachedData && { cachedData: new ivm.ExternalCopy(cachedData) }),
  });
}

/** What `prelude-pack.ts` has written. */
function unpacked(file: Buffer): Scripts {
  let at = file.indexOf('\n') + 1;
  const index = JSON.parse(file.toString('latin1', 0, at)) as [string, number, number][];
  const parts = new Map<string, () => Script>();
  for (const [id, codeLength, cacheLength] of index) {
    const [code, cache, end] = [at, at + codeLength, at + codeLength + cacheLength];
    parts.set(id, () => ({ code: file.toString('latin1', code, cache), cachedData: arrayBuffer(file.subarray(cache, end)) }));
    at = end;
  }
  const core = parts.get('')?.();
  parts.delete('');
  if (!core) throw new TypeError(`${built} holds no core`);
  return { core, parts };
}

function arrayBuffer({ buffer, byteOffset, byteLength }: Buffer): ArrayBuffer {
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
