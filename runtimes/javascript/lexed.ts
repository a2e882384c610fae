/**
 * A scan by a lexer: a tenth of the time of a parser, for sources of which only the imports are of interest. It takes
 * what every file has, and leaves everything unusual to the parser.
 */
import { type DynamicImport, type Import as Found, type ImportMetaRef, init, parse, type StaticImport } from 'es-module-lexer';
import { lackOf } from './lacks.ts';
import { type Import, metaName, type Scan, withNames } from './scan.ts';

/** @returns undefined where only a parser can tell */
export async function scanLexed(source: string, format: 'script' | 'module'): Promise<Scan | undefined> {
  await init();
  const all = importsOf(source, format);
  if (!all) return undefined;
  const imports: Import[] = [];
  const dynamicImports: DynamicImport[] = [];
  const metas: ImportMetaRef[] = [];
  for (const found of all) {
    if (found.type === 'import-meta') {
      if (!isProvidedMeta(source, found)) return undefined;
      metas.push(found);
    } else if (found.type === 'dynamic') {
      if (found.specifier === undefined || found.glob || found.phase || found.attributesStart >= 0) return undefined;
      imports.push({ at: found.importStart, specifier: found.specifier, dynamic: true });
      dynamicImports.push(found);
    } else {
      if (found.phase || !areJsonAttributes(found)) return undefined;
      imports.push({ at: found.start, specifier: found.specifier, dynamic: false });
    }
  }
  const code = withNames(source, dynamicImports.map(keyword), metas.map(keyword));
  // The order of the parser: what is imported at once comes first.
  return { imports: imports.toSorted((a, b) => Number(a.dynamic) - Number(b.dynamic)), findings: [], code };
}

/** Undefined for what V8 would not compile either. */
function importsOf(source: string, format: 'script' | 'module'): readonly Found[] | undefined {
  try {
    const [imports, , , hasModuleSyntax] = parse(source);
    return hasModuleSyntax && format === 'script' ? undefined : imports;
  } catch {
    return undefined;
  }
}

function areJsonAttributes({ attributes }: StaticImport): boolean {
  return attributes === null || attributes.every(([key, value]) => key === 'type' && value === 'json');
}

function isProvidedMeta(source: string, { start, end }: ImportMetaRef): boolean {
  const member = /^\??\.(\w+)(?![\w$])/.exec(source.slice(end, end + 20))?.[1];
  return end - start === metaName.length && member !== undefined && lackOf(['import.meta', member], false) === undefined;
}

function keyword({ importStart: start }: DynamicImport | ImportMetaRef): { start: number } {
  return { start };
}
