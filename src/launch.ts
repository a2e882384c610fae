/**
 * Launches: what the native launcher of `prisn run` asks the daemon for (`src/model/launch.ts`). It does for them what
 * `foreground.ts` does in the Node client, with the same parts, so that it comes out the same, up to the start:
 *
 *   Python      a ticket for a fork server of the interpreter that the caller's PATH leads to
 *   JavaScript  the program, read and judged, for an isolate of the daemon
 *   all else    declined: the Node client runs it
 *
 * Declined is also what would take long here, and hold up everybody else: to ask a version manager, or to parse a program.
 * The Node client does that and keeps the answer, so that the next launch finds it. To read a file is not to run it, and
 * who can reach the socket may read what the daemon may.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { commandFor } from '../runtimes/command.ts';
import { readHead } from '../runtimes/head.ts';
import { detect } from '../runtimes/index.ts';
import { type Loaded, loadJudged } from '../runtimes/javascript/load.ts';
import { isShim } from '../runtimes/shims.ts';
import { runVariables } from '../sandbox/process/launch.ts';
import { messageOf, PrisnError } from './base/error.ts';
import { ownIdentity } from './base/identity.ts';
import { wantsColors } from './base/terminal.ts';
import { loadedWithPackages, type Provide, withPython } from './dependencies.ts';
import { findEnvironment } from './environments/environments.ts';
import type { ForkRequest } from './model/fork.ts';
import { foregroundDomain, placeOf } from './model/foreground-run.ts';
import type { LaunchRequest, LaunchWay } from './model/launch.ts';
import { isEnvKey } from './model/name.ts';
import type { Detection } from './model/runtime.ts';
import { startsThisNode } from './stub-node.ts';

/** What is needed of the fork servers. */
export interface Tickets {
  ticket(request: ForkRequest): { readonly socket: string; readonly ticket: string } | { readonly why: string };
}

export interface LaunchOptions {
  /** Absolute path of the program that runs the daemon. */
  readonly install: string;
  /** Absolute path of the folder that the Node client keeps its answers in. */
  readonly cacheDir: string;
  /** Absolute path of the folder of what was installed for programs. */
  readonly environmentsDir: string;
  readonly tickets: Tickets;
}

/** More than this is read by its own run. */
const maxSourceBytes = 4 * 2 ** 20;

export class Launches {
  readonly #root: string;
  readonly #build: string | undefined;
  readonly #identity = ownIdentity();
  readonly #cacheDir: string;
  readonly #environmentsDir: string;
  readonly #tickets: Tickets;

  constructor({ install, cacheDir, environmentsDir, tickets }: LaunchOptions) {
    this.#root = dirname(dirname(install));
    this.#build = buildBeside(install);
    this.#cacheDir = cacheDir;
    this.#environmentsDir = environmentsDir;
    this.#tickets = tickets;
  }

  /** Never rejects. */
  async way(request: LaunchRequest): Promise<LaunchWay> {
    try {
      const asked = askedFor(request);
      const way = await this.#choose(request, asked);
      return asked.verbose ? { kind: 'declined', why: explained(way) } : way;
    } catch (error) {
      return declined(error instanceof PrisnError ? error.message : `the daemon failed: ${messageOf(error)}`);
    }
  }

  async #choose(request: LaunchRequest, asked: Asked): Promise<LaunchWay> {
    const { file, cwd, fileId } = request;
    if (request.build !== this.#build) return declined('the daemon is of another build');
    const path = resolve(cwd, file);
    const found = statSync(path, { bigint: true });
    if (`${found.dev}:${found.ino}` !== fileId) return declined('the daemon finds another file there');
    const where = { env: asked.env, cwd: asked.workdir ?? cwd };
    // The user's own runtimes are no concern here: they claim nothing of what a launch can be for.
    const detection = await detect(file, readHead(path), where, { runtime: asked.runtime });
    const { kind, id } = detection.runtime;
    if (kind === 'isolate') return found.size > maxSourceBytes ? declined('it is large') : this.#isolate(request, asked, path);
    if (id !== 'python3') return declined(`${id} has no use for it`);
    return asked.input === undefined ? this.#fork(request, asked, detection) : declined('--input is for JavaScript');
  }

  #find: Provide = async (request) => findEnvironment(this.#environmentsDir, request);

  async #fork({ file, cwd, args }: LaunchRequest, asked: Asked, detection: Detection): Promise<LaunchWay> {
    const { env, workdir, set } = asked;
    const context = { env, cwd: workdir ?? cwd, cacheDir: this.#cacheDir, keptOnly: true };
    // From another directory the name as it was typed would mean another file.
    const program = { file: workdir === undefined ? file : resolve(cwd, file) };
    const prepared = await withPython(detection, { file: resolve(cwd, file) }, {}, context, this.#find);
    if (!prepared) return declined('what it needs is not installed yet');
    const command = await commandFor(prepared, program, args, context);
    if (isShim(command.file)) return declined('a version manager has to be asked for the interpreter');
    const [name = '', ...rest] = command.args;
    if (rest.length !== args.length) return declined('its first line has options for the interpreter');
    const whole = { ...env, ...command.env };
    const found = this.#tickets.ticket({ domain: foregroundDomain, interpreter: command.file, env: whole });
    if ('why' in found) return declined(found.why);
    const top = { ...set, ...command.env, ...runVariables(whole, `run-${found.ticket}`) };
    return { kind: 'fork', ...found, file: name, directory: workdir ?? '', env: top };
  }

  async #isolate(request: LaunchRequest, asked: Asked, path: string): Promise<LaunchWay> {
    const { cwd, args, terminals } = request;
    const { env, workdir, input, runtime } = asked;
    if (this.#identity === undefined || !request.identity.startsWith(this.#identity))
      return declined('the daemon has other users, rights or namespaces');
    if (!startsThisNode(this.#root, { env: request.env, cwd })) return declined(`the daemon runs on another node`);
    const load = (packages?: string): Promise<Loaded | undefined> =>
      loadJudged(path, { cacheDir: this.#cacheDir, force: runtime !== undefined, packages });
    const place = { env, cwd: workdir ?? cwd, cacheDir: this.#cacheDir, keptOnly: true };
    const loaded = await loadedWithPackages(await load(), load, { file: path }, {}, place, this.#find);
    if (loaded?.choice === 'node') return declined(`node runs it, since ${loaded.why}`);
    if (loaded?.choice !== 'isolate') return declined('it has not been judged yet');
    const colors = { stdout: wantsColors(env, () => terminals[1]), stderr: wantsColors(env, () => terminals[2]) };
    const { program } = loaded;
    const task = { program, calledAs: path, args, env, cwd: workdir ?? cwd, limits: {}, colors };
    const origin = placeOf(env, request.env);
    return { kind: 'isolate', place: origin, task: input === undefined ? task : { ...task, input } };
  }
}

/** What the options say. */
interface Asked {
  readonly runtime: string | undefined;
  readonly input: string | undefined;
  /** Absolute path. */
  readonly workdir: string | undefined;
  readonly verbose: boolean;
  /** The variables of `--env`. */
  readonly set: Readonly<Record<string, string>>;
  /** The program's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** @throws PrisnError, SyntaxError for what the Node client refuses */
function askedFor({ options, env, cwd }: LaunchRequest): Asked {
  const valuesOf = (name: string): string[] =>
    options.filter((option) => option.startsWith(`--${name}=`)).map((option) => option.slice(name.length + 3));
  const [runtime] = valuesOf('runtime');
  const [input] = valuesOf('input');
  const [workdir] = valuesOf('workdir');
  const set = Object.fromEntries(valuesOf('env').map(assignment));
  if (input !== undefined) JSON.parse(input);
  const directory = workdir === undefined ? undefined : resolve(cwd, workdir);
  if (directory !== undefined && !statSync(directory).isDirectory()) throw new PrisnError('usage', '--workdir is no directory');
  return { runtime, input, workdir: directory, verbose: valuesOf('verbose').length > 0, set, env: { ...env, ...set } };
}

function assignment(word: string): [string, string] {
  const equals = word.indexOf('=');
  const name = word.slice(0, Math.max(0, equals));
  if (!isEnvKey(name)) throw new PrisnError('usage', `--env: '${word}' is not KEY=VALUE`);
  return [name, word.slice(equals + 1)];
}

function declined(why: string): LaunchWay {
  return { kind: 'declined', why };
}

/** For `-v`, which the Node client answers. */
function explained(way: LaunchWay): string {
  switch (way.kind) {
    case 'isolate':
      return 'this command was asked to explain; without -v it hands the program to an isolate of the daemon';
    case 'fork':
      return 'this command was asked to explain; without -v it hands the program to a fork server of the daemon';
    case 'declined':
      return way.why;
    default:
      return way satisfies never;
  }
}

/** The id that `bin/launcher.js` wrote; a daemon that runs from source has none. */
function buildBeside(install: string): string | undefined {
  try {
    return readFileSync(join(dirname(install), 'launcher/build'), 'utf8');
  } catch {
    return undefined;
  }
}
