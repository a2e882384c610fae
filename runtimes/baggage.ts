/** The files that a program takes along, within bounds, and notes on what it does not. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { PrisnError } from '../src/base/error.ts';
import { realPath } from '../src/base/real-path.ts';

const maxFiles = 5000;
const maxBytes = 200 * 2 ** 20;
const maxNotes = 50;

export class Baggage {
  /** Folder of the program's file. */
  readonly folder: string;
  readonly #program: string;
  readonly #files = new Set<string>();
  readonly #notes = new Set<string>();
  readonly #home: string | undefined;
  #bytes = 0;

  /** @param program absolute path of the program's file, which comes along */
  constructor(program: string, home: string | undefined) {
    this.#program = program;
    this.folder = dirname(program);
    this.#home = home;
    this.add(program);
  }

  get files(): readonly string[] {
    return [...this.#files];
  }

  get notes(): readonly string[] {
    return [...this.#notes];
  }

  /** @returns whether it is new @throws PrisnError `too_large` */
  add(file: string): boolean {
    if (this.#files.has(file)) return false;
    this.#files.add(file);
    this.#bytes += statSync(file).size;
    if (this.#files.size > maxFiles || this.#bytes > maxBytes)
      throw new PrisnError(
        'too_large',
        `${this.#program} brings more than ${this.#files.size > maxFiles ? `${maxFiles} files` : `${maxBytes / 2 ** 20} MB`} along, ` +
          `the last one ${file}; name a folder that has what it needs`,
      );
    return true;
  }

  /** @param about what the sentence is about, at its beginning */
  note(about: string, rest: string): void {
    if (this.#notes.size < maxNotes) this.#notes.add(`${this.shown(about)} ${rest}`);
  }

  /** A path as a reader of notes knows it: from the program's folder. */
  shown(file: string): string {
    return relative(this.folder, file) || file;
  }

  /** The text of a file that came along; undefined where it cannot be read, which is noted. */
  read(file: string): string | undefined {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      this.note(file, 'cannot be read, so what it needs did not come along');
      return undefined;
    }
  }

  /** Adds the file of this name in the nearest folder that has one. @returns its path */
  addNearest(name: string): string | undefined {
    const found = this.projectFolders()
      .map((folder) => join(folder, name))
      .find(isFile);
    if (found !== undefined) this.add(found);
    return found;
  }

  /**
   * The program's folder and those above it that may belong to the same project: up to the top of the repository, and
   * never the home folder, the root, or one in which everybody may write.
   */
  projectFolders(): string[] {
    const folders = [this.folder];
    for (let folder = this.folder; !isPlace(join(folder, '.git')); ) {
      folder = dirname(folder);
      if (folder === dirname(folder) || folder === this.#home || mayBeAnyones(folder)) break;
      folders.push(folder);
    }
    return folders;
  }

  /**
   * Says that something was found only where a link leads.
   * @param importer the file that is, or lies below, a link
   * @param what completes "x needs …"
   */
  noteLink(importer: string, what: string): void {
    this.note(importer, `is reached by a link to ${realPath(importer)}, and ${what} lies beside that; name the file there`);
  }
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The folder that a file really lies in, where links make that another; undefined otherwise. */
export function otherFolder(file: string): string | undefined {
  const folder = dirname(realPath(file));
  return folder === dirname(file) ? undefined : folder;
}

function isPlace(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function mayBeAnyones(folder: string): boolean {
  return ((statSync(folder, { throwIfNoEntry: false })?.mode ?? 0) & 0o002) !== 0;
}
