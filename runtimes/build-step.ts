/**
 * Builds a program, as a process of its own in front of it (`build.ts`), and keeps it for later runs where that is safe.
 *
 * What the compiler says goes to stderr, since stdout is the program's, and its stdin is empty, since that is too. A program
 * whose inputs cannot be listed, or changed meanwhile, is run all the same and not kept. Then what was not used for long is
 * let go.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { messageOf } from '../src/base/error.ts';
import { exitCodeOfSignal, exitCodes } from '../src/base/exit-codes.ts';
import { type BuildOrder, hashOf, type Variant, variantsFile, variantsIn } from './build.ts';
import { replaceFile } from './kept-file.ts';

/** Programs of one text; keys; bytes of all. */
const maxVariants = 4;
const maxKeys = 64;
const maxBytes = 2 ** 30;
/** What nothing names may still be in the making, or run. */
const abandonedMs = 3_600_000;
/** A clock that stamps files may be so much behind. */
const tickMs = 20;

process.exitCode = build(JSON.parse(process.argv[2] ?? '') as BuildOrder);

/** @returns the exit code */
function build(order: BuildOrder): number {
  const { compiler, file, place, out, args } = order;
  const startedAt = Date.now();
  try {
    mkdirSync(dirname(out), { recursive: true, mode: 0o700 });
  } catch (error) {
    return say(`cannot build in ${place}: ${messageOf(error)}; set PRISN_HOME to a folder that can be written`);
  }
  const { status, signal, error } = spawnSync(compiler, args, { cwd: dirname(file), stdio: ['ignore', 2, 2] });
  if (error) return say(`cannot start ${compiler}: ${messageOf(error)}`);
  if (status !== 0) {
    rmSync(dirname(out), { recursive: true, force: true });
    return status ?? exitCodeOfSignal(signal ? constants.signals[signal] : 0);
  }
  try {
    chmodSync(out, 0o700);
    const inputs = inputsOf(order, startedAt);
    if (inputs) keep({ inputs, program: relative(place, out) }, place);
    collect(place);
  } catch (failure) {
    if (statSync(out, { throwIfNoEntry: false }) === undefined)
      return say(`${compiler} has not made ${out}: ${messageOf(failure)}`);
  }
  return 0;
}

function say(message: string): number {
  process.stderr.write(`prisn: ${message}\n`);
  return exitCodes.failed;
}

/** @returns undefined where it is not certain what the program was made of */
function inputsOf({ compiler, file, inputs, hash }: BuildOrder, startedAt: number): Variant['inputs'] | undefined {
  const folder = dirname(file);
  const listed = inputs === undefined ? [] : pathsFrom(compiler, inputs, folder);
  if (!listed || hashOf(file) !== hash) return undefined;
  const paths = new Set(listed.map((path) => resolve(folder, path)));
  const found = [...paths].map((path) => [relative(folder, path), hashOf(path)] as const);
  const isCertain = (path: string): boolean => statSync(path).ctimeMs < startedAt - tickMs;
  if (found.some(([, known]) => known === undefined) || ![file, ...paths].every(isCertain)) return undefined;
  return Object.fromEntries(found) as Record<string, string>;
}

/** One path a line, or a rule of make, in which a blank of a path is written `\ `. */
function pathsFrom(compiler: string, args: readonly string[], cwd: string): string[] | undefined {
  const { status, stdout } = spawnSync(compiler, args, { cwd, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' });
  if (status !== 0) return undefined;
  const rule = /^\S+:\s(.*)/s.exec(stdout)?.[1];
  if (rule === undefined) return stdout.split('\n').filter(Boolean);
  const words = rule.replaceAll('\\\n', ' ').match(/(?:\\ |\S)+/g) ?? [];
  return words.map((word) => word.replaceAll('\\ ', ' '));
}

function keep(variant: Variant, place: string): void {
  const others = variantsIn(place).filter(({ inputs }) => JSON.stringify(inputs) !== JSON.stringify(variant.inputs));
  replaceFile(variantsFile(place), JSON.stringify([variant, ...others].slice(0, maxVariants)));
}

/** Lets go of what no text names any more, and of the texts that were not run for longest. */
function collect(place: string): void {
  const named = new Set(variantsIn(place).map(({ program }) => dirname(program)));
  for (const name of readdirSync(place)) {
    const folder = join(place, name);
    if (!named.has(name) && folder !== variantsFile(place) && usedAt(folder) < Date.now() - abandonedMs) remove(folder);
  }
  const builds = dirname(place);
  const all = readdirSync(builds).map((name) => ({ folder: join(builds, name), at: lastUse(join(builds, name)) }));
  let bytes = 0;
  for (const [i, { folder }] of all.toSorted((a, b) => b.at - a.at).entries()) {
    bytes += sizeOf(folder);
    if (folder !== place && (i >= maxKeys || bytes > maxBytes)) remove(folder);
  }
}

function lastUse(place: string): number {
  return Math.max(usedAt(place), usedAt(variantsFile(place)));
}

/** Milliseconds since the epoch. */
function usedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function sizeOf(place: string): number {
  return readdirSync(place, { recursive: true, encoding: 'utf8' }).reduce(
    (sum, name) => sum + (statSync(join(place, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
