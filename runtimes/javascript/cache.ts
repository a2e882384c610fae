/**
 * Verdicts kept on disk, one file a program, named by a hash of what was asked.
 *
 * A verdict holds for the same question, asked by the same judge, while every input stands as it did. Everything else is
 * a miss; a cache never fails a run. The judge is the files of this folder as they stand, the Node that compiles and
 * resolves for them, and the packages that they use: an update of any of these renews all verdicts.
 */
import { findPackageJSON } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readOwn, replaceFile, stateOf } from '../kept-file.ts';
import type { Question, Verdict } from './graph.ts';
import { compareInputs, hashOf, type InputRecord, Inputs } from './inputs.ts';

const fs = process.getBuiltinModule('node:fs');

/** Bounds of the directory; a sweep goes a tenth below. */
const bounds = { files: 500, bytes: 50 * 2 ** 20 };
/** Larger verdicts are not worth their disk. */
const entryBytes = 8 * 2 ** 20;
/** New files between two sweeps. */
const sweepEvery = 16;

interface Stored {
  readonly question: string;
  readonly inputs: InputRecord;
  /** The package.json of each package that judges. */
  readonly packages: InputRecord;
  readonly verdict: Verdict;
}

export class VerdictCache {
  readonly #directory: string;

  /** @param directory absolute path of a directory of the cache's own; made when first needed */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @returns a verdict whose inputs are unchanged, with the paths of these */
  find(question: Question): { verdict: Verdict; files: readonly string[] } | undefined {
    try {
      const stored = this.#read(question);
      if (!stored) return undefined;
      const compared = compareInputs(stored.inputs);
      if (!compared.same || !compareInputs(stored.packages).same) return undefined;
      if (compared.fresh) this.#write(question, { ...stored, inputs: compared.fresh });
      return { verdict: stored.verdict, files: stored.inputs.files.map(({ path }) => path) };
    } catch {
      return undefined;
    }
  }

  keep(question: Question, verdict: Verdict, inputs: Inputs): void {
    try {
      if (inputs.bytes > entryBytes) return;
      this.#write(question, { question: textOf(question), inputs: inputs.record(), packages: packageRecord(), verdict });
    } catch {
      // A full disk or a read-only home costs the next run its head start, nothing else.
    }
  }

  #path(question: Question): string {
    return join(this.#directory, `${hashOf(Buffer.from(textOf(question)))}.json`);
  }

  #read(question: Question): Stored | undefined {
    const text = readOwn(this.#path(question));
    if (text === undefined) return undefined;
    const stored = JSON.parse(text) as Stored;
    return stored.question === textOf(question) && isVerdict(stored.verdict) ? stored : undefined;
  }

  #write(question: Question, stored: Stored): void {
    const text = JSON.stringify(stored);
    if (text.length > entryBytes) return;
    const path = this.#path(question);
    const isNew = !stateOf(path);
    replaceFile(path, text);
    if (isNew) this.#sweepSometimes();
  }

  #sweepSometimes(): void {
    const names = fs.readdirSync(this.#directory);
    if (names.length <= bounds.files && names.length % sweepEvery !== 0) return;
    sweep(this.#directory, names);
  }
}

/** Deletes the oldest files until the directory keeps its bounds. */
function sweep(directory: string, names: readonly string[]): void {
  const files = names.flatMap((name) => {
    const path = join(directory, name);
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() ? [{ path, size: stats.size, mtimeMs: stats.mtimeMs }] : [];
  });
  let count = files.length;
  let bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (count <= bounds.files && bytes <= bounds.bytes) return;
  for (const { path, size } of files.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (count <= bounds.files * 0.9 && bytes <= bounds.bytes * 0.9) return;
    fs.rmSync(path, { force: true });
    count -= 1;
    bytes -= size;
  }
}

function packageRecord(): InputRecord {
  const packages = new Inputs();
  for (const name of ['acorn', 'es-module-lexer', 'esbuild']) packages.read(findPackageJSON(name, import.meta.url) ?? name);
  return packages.record();
}

/** All that decides a verdict beside the disk. */
function textOf({ path, source, force, packages }: Question): string {
  return JSON.stringify([judge(), path, force, source ?? null, packages ?? null]);
}

let knownJudge: readonly string[] | undefined;

function judge(): readonly string[] {
  knownJudge ??= [process.version, ...judgeFiles().map((path) => `${path} ${stateOf(path)?.stamp}`)];
  return knownJudge;
}

/** A build makes this folder of `dist` anew, so its own stamp tells; sources may be edited in place. */
function judgeFiles(): string[] {
  const file = fileURLToPath(import.meta.url);
  const folder = dirname(file);
  if (extname(file) !== '.ts') return [folder];
  return fs
    .readdirSync(folder)
    .toSorted()
    .map((name) => join(folder, name));
}

function isVerdict(value: unknown): value is Verdict {
  const verdict = value as Verdict | undefined;
  return (
    (verdict?.choice === 'isolate' && typeof verdict.program.modules[verdict.program.entry]?.code === 'string') ||
    (verdict?.choice === 'node' && typeof verdict.file === 'string' && typeof verdict.what === 'string')
  );
}
