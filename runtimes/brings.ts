/**
 * What a file brings along when it is to run elsewhere: the local files that it would find here, and the manifests that
 * say what else it needs.
 *
 *   brings.ts ──▶ javascript/brings.ts   imports, by the resolution of `prisn run`, also of programs for node
 *             ──▶ python3/brings.ts      imports, of modules and packages beside the file
 *             ──▶ shell/brings.ts        what a script sources
 *
 * Every file keeps its place relative to the others, so links are looked at where they stand and not where they lead.
 * A file too many does no harm, one too few does: what is only probably meant comes along, what cannot be known is noted.
 */
import type { Surroundings } from './path.ts';
import { dirname, resolve } from 'node:path';
import { Baggage, isFile } from './baggage.ts';
import { readHead } from './head.ts';
import { detect } from './index.ts';

export interface Brought {
  /** Absolute paths, each once: the file, its local imports, the nearest manifests. The file itself is the first. */
  readonly files: readonly string[];
  /** What was seen and left out, and why, a sentence each. */
  readonly notes: readonly string[];
}

/** A reader of a language and the names of its manifests. */
interface Language {
  readonly manifests: readonly string[];
  readonly read: (file: string, baggage: Baggage, surroundings: Surroundings) => Promise<void>;
}

const javascript: Language = {
  manifests: ['package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock'],
  read: async (file, baggage) => (await import('./javascript/brings.ts')).bringImports(file, baggage),
};
const python: Language = {
  manifests: ['requirements.txt', 'pyproject.toml', 'uv.lock', '.python-version'],
  read: async (file, baggage) => (await import('./python3/brings.ts')).bringModules(file, baggage),
};
const shell: Language = {
  manifests: [],
  read: async (file, baggage, { cwd }) => (await import('./shell/brings.ts')).bringSourced(file, baggage, cwd),
};

/** By the id of the runtime. */
const languages: Readonly<Record<string, Language>> = {
  javascript,
  typescript: javascript,
  node: javascript,
  python3: python,
  bash: shell,
  sh: shell,
};

/**
 * @param file absolute path of the program
 * @param surroundings where it is looked at from
 * @param runtime id or alias of the runtime, where that was asked for
 * @throws PrisnError `cannot_run` when the file cannot be run, `no_runtime`, `too_large` when it brings too much
 */
export async function bringsAlong(file: string, surroundings: Surroundings, runtime?: string): Promise<Brought> {
  const detection = detect(file, readHead(file), surroundings, runtime);
  const baggage = new Baggage(file, surroundings.env['HOME']);
  const language = languages[detection.runtime.id];
  if (language) {
    await language.read(file, baggage, surroundings);
    for (const name of language.manifests) {
      const found = baggage.addNearest(name);
      if (found !== undefined && name === 'requirements.txt') addIncluded(found, baggage);
    }
  }
  return { files: baggage.files, notes: baggage.notes };
}

/** Files that a requirements file includes (`-r`, `-c`), and those that these do. What else it names by a path is noted. */
function addIncluded(file: string, baggage: Baggage): void {
  for (const line of (baggage.read(file) ?? '').split('\n')) {
    const [, name] = /^\s*(?:-[rc]|--requirement|--constraint)[\s=]*(\S+)/.exec(line) ?? [];
    const path = name === undefined || name.includes('://') ? undefined : resolve(dirname(file), name);
    if (path !== undefined && isFile(path) && baggage.add(path)) addIncluded(path, baggage);
    else if (/^\s*(?:-e|--editable)\b|^\s*\.{0,2}\//.test(line))
      baggage.note(file, `names ${line.trim()}, which does not come along; deploy the folder that has both`);
  }
}
