/**
 * Verdicts kept on disk, one file a program, named by a hash of what was asked.
 *
 * A file is written whole under a name of its own and renamed into place, so that a reader sees an old or a new one and
 * never a half. It is believed only when this user alone could have written it, in the format of this version, for the
 * same question, and while every input stands as it did. Everything else is a miss; a cache never fails a run.
 * The package.json of prisn and of esbuild are inputs too, so that an update of either renews all verdicts.
 */
import { findPackageJSON } from 'node:module';
import { join } from 'node:path';
import type { Entry, Verdict } from './graph.ts';
import { compareInputs, hashOf, type InputRecord, Inputs } from './inputs.ts';

const fs = process.getBuiltinModule('node:fs');

/** Raise it when the meaning of a stored verdict changes. */
const format = 1;

/** Bounds of the directory; a sweep goes a tenth below. */
const bounds = { files: 500, bytes: 50 * 2 ** 20 };
/** Larger verdicts are not worth their disk. */
const entryBytes = 8 * 2 ** 20;
/** New files between two sweeps. */
const sweepEvery = 16;

interface Stored {
  readonly format: number;
  readonly question: string;
  readonly inputs: InputRecord;
  /** The package.json of prisn and of esbuild. */
  readonly tools: InputRecord;
  readonly verdict: Verdict;
}

export class VerdictCache {
  readonly #directory: string;

  /** @param directory absolute path of a directory of the cache's own; made when first needed */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @returns a verdict whose inputs are unchanged, with the paths of these */
  find(entry: Entry): { verdict: Verdict; files: readonly string[] } | undefined {
    try {
      const stored = this.#read(entry);
      if (!stored) return undefined;
      const compared = compareInputs(stored.inputs);
      if (!compared.same || !compareInputs(stored.tools).same) return undefined;
      if (compared.fresh) this.#write(entry, { ...stored, inputs: compared.fresh });
      return { verdict: stored.verdict, files: stored.inputs.files.map(({ path }) => path) };
    } catch {
      return undefined;
    }
  }

  keep(entry: Entry, verdict: Verdict, inputs: Inputs): void {
    try {
      if (inputs.bytes > entryBytes) return;
      this.#write(entry, { format, question: questionOf(entry), inputs: inputs.record(), tools: toolRecord(), verdict });
    } catch {
      // A full disk or a read-only home costs the next run its head start, nothing else.
    }
  }

  #path(entry: Entry): string {
    return join(this.#directory, `${hashOf(Buffer.from(questionOf(entry)))}.json`);
  }

  #read(entry: Entry): Stored | undefined {
    const file = fs.openSync(this.#path(entry), 'r');
    try {
      const { uid, mode } = fs.fstatSync(file);
      if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return undefined;
      const stored = JSON.parse(fs.readFileSync(file, 'utf8')) as Stored;
      const isOurs = stored.format === format && stored.question === questionOf(entry) && isVerdict(stored.verdict);
      return isOurs ? stored : undefined;
    } finally {
      fs.closeSync(file);
    }
  }

  #write(entry: Entry, stored: Stored): void {
    const text = JSON.stringify(stored);
    if (text.length > entryBytes) return;
    fs.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = this.#path(entry);
    const isNew = !fs.statSync(path, { throwIfNoEntry: false });
    const temporary = `${path}.${process.pid}`;
    try {
      fs.rmSync(temporary, { force: true });
      fs.writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' });
      fs.renameSync(temporary, path);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
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

function toolRecord(): InputRecord {
  const tools = new Inputs();
  for (const name of ['..', 'esbuild']) tools.read(findPackageJSON(name, import.meta.url) ?? '');
  return tools.record();
}

/** All that decides a verdict beside the disk. */
function questionOf({ path, source, force }: Entry): string {
  return JSON.stringify([path, force, source ?? null]);
}

function isVerdict(value: unknown): value is Verdict {
  const verdict = value as Verdict | undefined;
  return (
    (verdict?.choice === 'isolate' && typeof verdict.program.modules[verdict.program.entry]?.code === 'string') ||
    (verdict?.choice === 'node' && typeof verdict.file === 'string' && typeof verdict.what === 'string')
  );
}
