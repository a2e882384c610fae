/**
 * The modules beside a Python program that it imports, wherever the statements stand, and those that these import.
 *
 * Python looks for an absolute import in the folder of the program's file first (sys.path[0]), so only what lies there, or
 * in a folder that the code adds to sys.path, is local; everything else is the standard library's or a package's. Of a
 * package all modules come: which of them its code reaches is not always written down.
 */
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Baggage, isFile, isFolder, otherFolder } from '../baggage.ts';
import { importsOf, type ModuleImport, type PathEntry } from './imports.ts';

/** @param program absolute path @throws PrisnError `too_large` */
export async function bringModules(program: string, baggage: Baggage): Promise<void> {
  new Walk(program, baggage).enter();
  bringRequirements(baggage);
}

class Walk {
  readonly #baggage: Baggage;
  readonly #program: string;
  /** Where absolute imports are looked for. */
  readonly #bases: string[];
  /** First parts of the absolute imports so far. */
  readonly #wanted = new Set<string>();
  /** Came along and not read yet. */
  readonly #open: string[] = [];

  constructor(program: string, baggage: Baggage) {
    this.#program = program;
    this.#baggage = baggage;
    this.#bases = [dirname(program)];
    this.#open.push(program);
  }

  enter(): void {
    for (let file = this.#open.pop(); file !== undefined; file = this.#open.pop()) {
      const { imports, paths, dynamic } = importsOf(this.#baggage.read(file) ?? '');
      if (dynamic) this.#baggage.note(file, 'imports what only its run can tell; that did not come along');
      for (const entry of paths) this.#addBase(entry, file);
      for (const found of imports) this.#import(found, file);
    }
  }

  #import({ module, level, names }: ModuleImport, file: string): void {
    const [first = ''] = module.split('.');
    if (level === 0) return this.#want(first);
    const folder = resolve(dirname(file), ...Array<string>(level - 1).fill('..'));
    for (const name of first === '' ? names : [first]) this.#bring(folder, name);
  }

  #want(name: string): void {
    if (this.#wanted.has(name)) return;
    this.#wanted.add(name);
    const found = this.#bases.filter((base) => this.#bring(base, name));
    const elsewhere = otherFolder(this.#program);
    if (found.length === 0 && elsewhere !== undefined && modulesIn(elsewhere, name).length > 0)
      this.#baggage.noteLink(this.#program, `the module ${name}`);
  }

  #addBase({ up, parts }: PathEntry, file: string): void {
    const base = resolve(dirname(file), ...Array<string>(up).fill('..'), ...parts);
    if (this.#bases.includes(base)) return;
    if (!isFolder(base)) return this.#baggage.note(file, 'adds to sys.path what only its run can tell');
    this.#bases.push(base);
    for (const name of this.#wanted) this.#bring(base, name);
  }

  /** @returns whether the folder has such a module */
  #bring(folder: string, name: string): boolean {
    const modules = modulesIn(folder, name);
    for (const module of modules) {
      if (this.#baggage.add(module) && module.endsWith('.py')) this.#open.push(module);
    }
    const others = isFile(join(folder, name, '__init__.py')) ? filesBelow(join(folder, name), isData) : [];
    if (others.length > 0) {
      const shown = others.slice(0, 3).map((file) => this.#baggage.shown(file));
      this.#baggage.note(
        join(folder, name),
        `also has ${others.length === 1 ? 'a file that is' : `${others.length} files that are`} no module ` +
          `(${shown.join(', ')}${others.length > 3 ? ', …' : ''}), which did not come along; name a folder to take all of it`,
      );
    }
    return modules.length > 0;
  }
}

/** The files of a module or a package, with or without `__init__.py`. */
function modulesIn(folder: string, name: string): string[] {
  const package_ = join(folder, name);
  const inside = isFolder(package_) ? filesBelow(package_, isModule) : [];
  const beside = namesIn(folder)
    .filter((entry) => entry === `${name}.py` || (entry.startsWith(`${name}.`) && entry.endsWith('.so')))
    .map((entry) => join(folder, entry));
  return [...beside.filter(isFile), ...inside];
}

function filesBelow(folder: string, isWanted: (name: string) => boolean, depth = 0): string[] {
  if (depth > maxDepth || isFile(join(folder, 'pyvenv.cfg'))) return [];
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name.startsWith('.') || name === '__pycache__' || name === 'node_modules') return [];
    if (isFolder(path)) return filesBelow(path, isWanted, depth + 1);
    return isWanted(name) && isFile(path) ? [path] : [];
  });
}

/** Links may go round in circles. */
const maxDepth = 20;

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

function isModule(name: string): boolean {
  return /\.(?:py|so)$/.test(name);
}

function isData(name: string): boolean {
  return !/\.(?:py|so|pyc|pyi)$/.test(name) && name !== 'py.typed';
}

/** A requirements.txt may name others (https://pip.pypa.io/en/stable/reference/requirements-file-format/). */
function bringRequirements(baggage: Baggage): void {
  const nearest = baggage.addNearest('requirements.txt');
  const open = nearest === undefined ? [] : [nearest];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const others = baggage.read(file)?.matchAll(/^\s*(?:-r|-c|--requirement|--constraint)[\s=]\s*(\S+)/gm) ?? [];
    for (const [, name = ''] of others) {
      const path = resolve(dirname(file), name);
      if (isFile(path) && baggage.add(path)) open.push(path);
    }
  }
}
