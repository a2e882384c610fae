/** Positions of a program's files: where translated code came from, and the text of a line. */
import type { SourceMap } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { importName, metaName, type Program } from '../../src/model/task.ts';

export class ProgramSources {
  readonly #program: Program;
  readonly #maps = new Map<string, SourceMap>();

  constructor(program: Program) {
    this.#program = program;
  }

  /** @returns `[file, line, column]` in the source, 1-based, or undefined for a file that was not translated */
  position(file: string, line: number, column: number): [string, number, number] | undefined {
    const map = this.#map(file);
    const entry = map?.findEntry(line - 1, column - 1);
    if (!entry || !('originalLine' in entry)) return undefined;
    return [this.#sourceOf(entry.originalSource, file), entry.originalLine + 1, entry.originalColumn + 1];
  }

  /** The text of line `line` (1-based) of the file as its author wrote it. */
  line(file: string, line: number): string | undefined {
    const module = this.#program.modules[pathOf(file)];
    const source = this.#map(file)?.payload.sourcesContent[0] ?? module?.code;
    const text = source?.split('\n', line)[line - 1]?.replace(/\r$/, '');
    return text?.replaceAll(importName, 'import').replaceAll(metaName, 'import.meta');
  }

  /** A module that was made of several files has their absolute paths in its map. */
  #sourceOf(source: string, file: string): string {
    if ((this.#map(file)?.payload.sources.length ?? 0) < 2) return file;
    return file.startsWith('file:') ? pathToFileURL(source).href : source;
  }

  #map(file: string): SourceMap | undefined {
    const path = pathOf(file);
    const text = this.#program.modules[path]?.map;
    if (text === undefined) return undefined;
    let map = this.#maps.get(path);
    if (!map) {
      map = new (process.getBuiltinModule('node:module').SourceMap)(JSON.parse(text));
      this.#maps.set(path, map);
    }
    return map;
  }
}

/** Modules are known to V8 by their URL, scripts by their path, as under node. */
function pathOf(file: string): string {
  return file.startsWith('file:') ? fileURLToPath(file) : file;
}
