/**
 * What must be in the database, noted so that a loss is noticed. LevelDB opens without a word after a flipped byte in its log
 * (and drops the records around it), after a log was deleted, and even after its CURRENT file was (then it is empty).
 *
 * - In the database: each group of writes is numbered, and its number is put into one slot of a ring. LevelDB loses whole
 *   groups or none, so a lost one leaves its slot with an older number (so does one that was not durable, when power fails
 *   while LevelDB changes from one log to the next). The ring is longer than what LevelDB keeps in logs;
 *   what has left the logs lies in tables, and LevelDB refuses to open without one of them.
 * - Beside it, `ledger`: the last group that was synced. When the database knows less, its end was lost. It is written after
 *   the sync and not synced itself, so it never promises too much.
 * - Beside it, `damage.txt`: what was found, one finding a line, since LevelDB repairs itself and would look healthy at the
 *   next start. Deleting it is how an operator accepts the loss.
 */
import { existsSync, readdirSync, writeSync } from 'node:fs';
import { appendFile, mkdir, open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PrisnError, errnoOf } from '../base/error.ts';

/** LevelDB keeps up to two logs of 4 MB, and nearly every group takes 512 bytes or more. */
export const ringSlots = 2 ** 14;

/** How far writing got: groups are numbered from 1 without a gap, revisions grow with every batch. */
export interface Mark {
  readonly group: number;
  readonly revision: number;
}

export class Ledger {
  readonly #directory: string;
  readonly #file: FileHandle;
  /** The last durable group; undefined when that cannot be told. */
  #synced: Mark | undefined;
  readonly #problems: string[];
  #lostWrites = false;

  private constructor(directory: string, file: FileHandle, synced: Mark | undefined, problems: string[]) {
    this.#directory = directory;
    this.#file = file;
    this.#synced = synced;
    this.#problems = problems;
  }

  /** @param directory is made when it is missing */
  static async open(directory: string): Promise<Ledger> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'ledger');
    const [text, damage] = await Promise.all([readIfThere(path), readIfThere(join(directory, 'damage.txt'))]);
    const file = await open(path, text === undefined ? 'w+' : 'r+', 0o600);
    return new Ledger(directory, file, parseMark(text), damage?.split('\n').filter(Boolean) ?? []);
  }

  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Whether a loss was reported since the start. */
  get lostWrites(): boolean {
    return this.#lostWrites;
  }

  /** Keeps for good that writes are missing. */
  async reportLoss(problem: string): Promise<void> {
    this.#lostWrites = true;
    await this.#keep(problem);
  }

  /** Keeps a finding for good, once. */
  async report(problem: string): Promise<void> {
    if (!this.#problems.some((known) => known.endsWith(` ${problem}`))) await this.#keep(problem);
  }

  /** Notes where this start goes on. It is synced, so that a new file does not come back empty from a power cut. */
  async begin(mark: Mark): Promise<void> {
    this.note(mark);
    await this.#file.sync();
    const directory = await open(this.#directory, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  /** Notes that everything up to `mark` is synced. To ask a thread for 64 bytes into the page cache would cost ten times as much. */
  note(mark: Mark): void {
    this.#synced = mark;
    try {
      writeSync(this.#file.fd, formatMark(mark), 0);
    } catch {
      // An older mark stays, which is still true.
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /**
   * Refuses a database folder whose CURRENT file is gone: LevelDB would take it for a new one and delete what is left.
   * @throws PrisnError `damaged`
   */
  checkFiles(databaseDirectory: string): void {
    if (existsSync(join(databaseDirectory, 'CURRENT'))) return;
    const files = existsSync(databaseDirectory) ? readdirSync(databaseDirectory) : [];
    const leftovers = files.filter((name) => /\.(?:ldb|sst|log)$|^MANIFEST-/.test(name));
    if ((this.#synced?.group ?? 0) === 0 && leftovers.length === 0) return;
    throw new PrisnError(
      'damaged',
      `the store in ${databaseDirectory} is damaged: its file CURRENT is missing; restore a backup into an empty data directory`,
    );
  }

  /**
   * Compares what was found in the database with what must be there, and reports the difference.
   * @param slots group number by slot of the ring
   * @returns where to go on, and which groups are missing
   */
  async check(slots: ReadonlyMap<number, Mark>): Promise<{ last: Mark; missing: number[] }> {
    let last: Mark = { group: 0, revision: 0 };
    for (const mark of slots.values()) if (mark.group > last.group) last = mark;
    const missing: number[] = [];
    for (let group = Math.max(1, last.group - ringSlots + 1); group <= last.group; group++)
      if (slots.get(group % ringSlots)?.group !== group) missing.push(group);
    const synced = this.#synced;
    if (missing.length > 0)
      await this.reportLoss(`${missing.length} groups of writes are missing, among them number ${missing[0]}`);
    if (!synced && last.group > 0)
      await this.reportLoss('the file ledger is missing or unreadable: whether the last writes are there cannot be told');
    if (synced && synced.group > last.group)
      await this.reportLoss(`the last ${synced.group - last.group} groups of writes, which were synced, are missing`);
    return { last: { group: last.group, revision: Math.max(last.revision, synced?.revision ?? 0) }, missing };
  }

  /** It counts even when it cannot be written. */
  async #keep(problem: string): Promise<void> {
    const line = `${new Date().toISOString()} ${problem}`;
    this.#problems.push(line);
    const file = join(this.#directory, 'damage.txt');
    await appendFile(file, `${line}\n`, { mode: 0o600, flush: true }).catch(() => undefined);
  }
}

/**
 * What LevelDB dropped when it opened, from its own log of events.
 * @param databaseDirectory after a successful open
 */
export async function droppedByRecovery(databaseDirectory: string): Promise<string[]> {
  const log = (await readIfThere(join(databaseDirectory, 'LOG'))) ?? '';
  return log.split('\n').flatMap((line) => /(?:[^/ ]+: dropping \d+ bytes; .*|Ignoring error .*)$/.exec(line)?.[0] ?? []);
}

function formatMark({ group, revision }: Mark): string {
  const text = `${group} ${revision}`;
  return `${text} ${crc32(text)}`.padEnd(63) + '\n';
}

function parseMark(text: string | undefined): Mark | undefined {
  const match = /^((\d+) (\d+)) (\d+) *\n$/.exec(text ?? '');
  return match?.[1] && crc32(match[1]) === Number(match[4]) ? { group: Number(match[2]), revision: Number(match[3]) } : undefined;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
