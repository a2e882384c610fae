/**
 * What a scan of one JavaScript source tells: its imports, what it uses that an isolate lacks, and its code for an
 * isolate.
 *
 * isolated-vm hands V8's hooks for `import()` and `import.meta` on to nobody, so both are renamed in the code, to names
 * that the session binds for each module. The new names have the length of the old ones: every position stays exact,
 * and no source map is needed.
 */

export interface Import {
  /** Offset of the specifier in the source. */
  readonly at: number;
  readonly specifier: string;
  readonly dynamic: boolean;
}

/** Something that an isolate does not have. */
export interface Finding {
  /** Offset in the source; absent where no one place is to blame. */
  readonly at?: number;
  /** Completes "src/x.js:3 …". */
  readonly what: string;
  /** Not even a program that never comes to this place can be built. */
  readonly fatal: boolean;
}

export interface Scan {
  readonly imports: readonly Import[];
  readonly findings: readonly Finding[];
  /** The source with `import()` and `import.meta` renamed: of the same length and with the same lines. */
  readonly code: string;
}

const importName = '$impt$';
export const metaName = '$importMeta';

/** The place of a name that the renaming would make ambiguous. */
export function reservedName(source: string): { name: string; at: number } | undefined {
  return [importName, metaName].map((name) => ({ name, at: source.indexOf(name) })).find(({ at }) => at >= 0);
}

/** Where one of our names goes. */
interface Edit {
  /** Offset of the keyword `import`. */
  readonly start: number;
}

/** The source with our names where `import()` and `import.meta` (in one word) start. */
export function withNames(source: string, dynamicImports: readonly Edit[], metas: readonly Edit[]): string {
  const edits = [
    ...dynamicImports.map(({ start }) => ({ start, name: importName })),
    ...metas.map(({ start }) => ({ start, name: metaName })),
  ].toSorted((a, b) => a.start - b.start);
  let code = '';
  let done = 0;
  for (const { start, name } of edits) {
    code += source.slice(done, start) + name;
    done = start + name.length;
  }
  return code + source.slice(done);
}
