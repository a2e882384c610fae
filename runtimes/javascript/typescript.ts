/** TypeScript and JSX to JavaScript, a file at a time, by esbuild. */
import { extname } from 'node:path';
import type { Loader, Message } from 'esbuild';
import type { TsConfig } from './tsconfig.ts';
import { ProgramFailure } from './verdicts.ts';

const loaders: Readonly<Record<string, Loader>> = { '.tsx': 'tsx', '.jsx': 'jsx' };

export interface Translation {
  readonly code: string;
  /** Source map, version 3, with the source's text in it. */
  readonly map: string;
}

/**
 * @param path absolute path of the file, for its extension and the source map
 * @throws ProgramFailure for a syntax error, in the form in which node reports one
 */
export async function translate(path: string, source: string, { compilerOptions }: TsConfig): Promise<Translation> {
  const { transform } = await import('esbuild');
  try {
    const { code, map } = await transform(source, {
      loader: loaders[extname(path)] ?? 'ts',
      target: 'esnext',
      // `esnext` would hand decorators on, and V8 has none yet.
      supported: { decorators: false },
      sourcemap: 'external',
      sourcefile: path,
      tsconfigRaw: { compilerOptions },
      logLevel: 'silent',
    });
    return { code, map };
  } catch (error) {
    const [first] = (error as { errors?: Message[] }).errors ?? [];
    if (!first) throw error;
    throw new ProgramFailure(syntaxError(path, first), { cause: error });
  }
}

/** Ends esbuild's own process, which otherwise lives as long as this one. */
export async function stopTranslator(): Promise<void> {
  const { stop } = await import('esbuild');
  await stop();
}

function syntaxError(path: string, { text, location }: Message): string {
  if (!location) return `${path}\n\nSyntaxError: ${text}`;
  const { line, column, lineText, length } = location;
  // esbuild counts bytes.
  const before = Buffer.from(lineText).subarray(0, column).toString();
  const marked = Buffer.from(lineText)
    .subarray(column, column + length)
    .toString();
  const caret = before.replace(/[^\t]/g, ' ') + '^'.repeat(Math.max(1, marked.length));
  return `${path}:${line}\n${lineText}\n${caret}\n\nSyntaxError: ${text}`;
}
