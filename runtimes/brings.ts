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
import { readdirSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { PrisnError } from '../src/base/error.ts';
import type { Runtime } from '../src/model/runtime.ts';
import { Baggage, isFile } from './baggage.ts';
import { readHead } from './head.ts';
import { type Asked, detect } from './index.ts';
import type { Surroundings } from './path.ts';

export interface Brought {
  /** Absolute paths, each once: the file, its local imports, the nearest manifests. The file itself is the first. */
  readonly files: readonly string[];
  /** What was seen and left out, and why, a sentence each. */
  readonly notes: readonly string[];
}

/** Finds what a file of a language imports. */
type Reader = (file: string, baggage: Baggage, surroundings: Surroundings) => Promise<void>;

const javascript: Reader = async (file, baggage) => (await import('./javascript/brings.ts')).bringImports(file, baggage);
const python: Reader = async (file, baggage) => (await import('./python3/brings.ts')).bringModules(file, baggage);
const shell: Reader = async (file, baggage, { cwd }) => (await import('./shell/brings.ts')).bringSourced(file, baggage, cwd);

/** By the id of the runtime. */
const readers: Readonly<Record<string, Reader>> = {
  javascript,
  typescript: javascript,
  node: javascript,
  deno: javascript,
  bun: javascript,
  python3: python,
  bash: shell,
  sh: shell,
};

/**
 * @param file absolute path of the program
 * @param surroundings where it is looked at from
 * @param asked the runtime, where that was asked for
 * @throws PrisnError `cannot_run` when the file cannot be run, `too_large` when it brings too much
 */
export async function bringsAlong(file: string, surroundings: Surroundings, asked: Asked): Promise<Brought> {
  const runtime = await runtimeHere(file, readHead(file), surroundings, asked);
  const baggage = new Baggage(file, surroundings.env['HOME']);
  if (runtime) {
    await (readers[runtime.id] ?? besides(runtime))(file, baggage, surroundings);
    for (const name of runtime.manifests) {
      const found = baggage.addNearest(name);
      if (found !== undefined && name === 'requirements.txt') addIncluded(found, baggage);
    }
  }
  return { files: baggage.files, notes: baggage.notes };
}

/** @returns undefined for one that is asked for by a name which is none here: where the program is to run it may be one */
async function runtimeHere(...[file, head, surroundings, asked]: Parameters<typeof detect>): Promise<Runtime | undefined> {
  try {
    return (await detect(file, head, surroundings, asked)).runtime;
  } catch (error) {
    if (error instanceof PrisnError && error.code === 'no_runtime') return undefined;
    throw error;
  }
}

/** Of a language that prisn does not read it says so, where there is something that may be meant. */
function besides({ name, extensions }: Runtime): Reader {
  return async (file, baggage) => {
    const others = readdirSync(dirname(file)).filter((other) => other !== basename(file) && extensions.includes(extname(other)));
    if (others.length > 0)
      baggage.note(
        file,
        `goes without ${few(others)} beside it, since prisn does not read what ${name} loads; a folder goes whole`,
      );
  };
}

function few([one = '', ...more]: readonly string[]): string {
  return more.length === 0 ? one : `${one} and ${more.length} more`;
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
