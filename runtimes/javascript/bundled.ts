/**
 * A program with the packages that it imports, as the one module that an isolate runs. What a package is to node it is here (conditions,
 * CommonJS, names of functions and classes), or there is no bundle: node's own code of a package is taken, so one that needs a built-in of node
 * or a global that isolates lack is for node.
 */
import { dirname, join, resolve } from 'node:path';
import type { Metafile } from 'esbuild';
import type { ProgramModule } from '../../src/model/task.ts';
import type { Inputs } from './inputs.ts';
import { scan } from './scanner.ts';

export type Bundled =
  | { readonly module: ProgramModule }
  /** Completes "imports 'x', …". */
  | { readonly lack: string }
  /** Something that is imported is not installed. */
  | 'missing';

/**
 * @param entry absolute real path of an ES module
 * @param packages absolute path of a `node_modules` beside those that node finds
 * @param inputs is told every file that decided about the result
 */
export async function bundleWithPackages(entry: string, packages: string | undefined, inputs: Inputs): Promise<Bundled> {
  const { build } = await import('esbuild');
  const folder = dirname(entry);
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: folder,
    // Nothing is written; sources in the map are relative to it.
    outfile: join(folder, '[bundle].js'),
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'esnext',
    keepNames: true,
    sourcemap: 'external',
    metafile: true,
    nodePaths: packages === undefined ? [] : [packages],
    logLevel: 'silent',
  }).catch(() => undefined);
  if (!result) return 'missing';
  const files = Object.keys(result.metafile.inputs).map((path) => resolve(folder, path));
  for (const file of [...files, ...manifestsOf(files)]) inputs.read(file);
  const external = externalOf(result.metafile);
  if (external !== undefined) return { lack: `which needs ${external}` };
  const moved = files.find((file) => file !== entry && /\bimport\.meta\b/.test(inputs.read(file) ?? ''));
  if (moved !== undefined) return { lack: `and ${moved} asks for its own place` };
  const code = textOf(result.outputFiles, '.js');
  const { findings, code: renamed } = await scan(code, 'module', false);
  if (findings[0]) return { lack: `and the program with its packages ${findings[0].what}` };
  return { module: { format: 'module', code: renamed, imports: {}, map: withPaths(textOf(result.outputFiles, '.map'), folder) } };
}

function textOf(files: readonly { readonly path: string; readonly text: string }[], ending: string): string {
  return files.find(({ path }) => path.endsWith(ending))?.text ?? '';
}

function externalOf({ inputs }: Metafile): string | undefined {
  return (
    Object.values(inputs)
      .flatMap(({ imports }) => imports)
      // What esbuild itself brings is called so.
      .find(({ external, path }) => external && path !== '<runtime>')?.path
  );
}

/** The package.json of each package: it says which of its files are meant. */
function manifestsOf(files: readonly string[]): string[] {
  const folders = files.flatMap((file) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []);
  return [...new Set(folders)].map((folder) => join(folder, 'package.json'));
}

function withPaths(map: string, folder: string): string {
  const parsed = JSON.parse(map) as { sources: string[] };
  return JSON.stringify({ ...parsed, sources: parsed.sources.map((source) => resolve(folder, source)) });
}
