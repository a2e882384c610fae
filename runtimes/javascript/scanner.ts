/** Scans a source by the cheapest means that can tell. */
import { lackedWords } from './lacks.ts';
import { reservedName, type Scan } from './scan.ts';

/**
 * @param source JavaScript, as `sourceText` gives it
 * @param isInline the source is in no file
 */
export async function scan(source: string, format: 'script' | 'module', isInline: boolean): Promise<Scan> {
  const reserved = reservedName(source);
  if (reserved) {
    const what = `has the name ${reserved.name}, which prisn keeps for itself`;
    return { imports: [], findings: [{ at: reserved.at, what, fatal: true }], code: source };
  }
  if (!lackedWords(isInline).test(source)) {
    const { scanLexed } = await import('./lexed.ts');
    const lexed = await scanLexed(source, format);
    if (lexed) return lexed;
  }
  const { scanParsed } = await import('./parsed.ts');
  return scanParsed(source, format, isInline);
}
