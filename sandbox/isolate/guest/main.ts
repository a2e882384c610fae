/** The default export of a program: how it is called, and what its end waits for. */
import { callable, hasFetch } from './callable.ts';
import { host } from './host.ts';
import { exitCode, startInfo } from './program.ts';

/** Taken before the program can replace them. */
const { parse, stringify } = JSON;

const errors = () => require('./errors.ts') as typeof import('./errors.ts');

export type Main = (input: unknown, context: object) => unknown;

/** What an ES module still waits for: its evaluation, then what its default export returned. */
const topLevelAwait = 'top-level await';
const mainPromise = 'promise of the default export';
let awaited: typeof topLevelAwait | typeof mainPromise | undefined = topLevelAwait;

/** Nothing of the program is waited for, or one call of it. */
export function awaitCall(isAwaited: boolean): void {
  awaited = isAwaited ? mainPromise : undefined;
}

/** One that is a function is called with the input, and one that answers requests with the request. */
export function callOnce(main: unknown): void {
  awaitCall(false);
  const { request, returnsToHost } = startInfo();
  if (request)
    return void settled(async () => (require('./function.ts') as typeof import('./function.ts')).answer(main, request));
  const callee = callable(main);
  if (callee) return void settled(async () => callMain(callee, startInfo().input ?? (await readInput())));
  if (returnsToHost && hasFetch(main)) host.noHandler('input');
  host.settled();
}

async function settled(work: () => Promise<void>): Promise<void> {
  awaitCall(true);
  try {
    await work();
    awaitCall(false);
    host.settled();
  } catch (error) {
    errors().reportUncaught(error);
  }
}

/** Characters of a result that are worth to be handed to the host, which counts bytes. */
const maxResultLength = 512 * 2 ** 10;

/**
 * What the function returns is printed as JSON, or told to the host.
 * @param text JSON; undefined where there is no input
 */
export async function callMain(main: Main, text: string | undefined): Promise<void> {
  const { argv, env, returnsToHost } = startInfo();
  const value = await main(text === undefined ? undefined : parse(text), { args: argv.slice(2), env: { ...env } });
  const json = toJson(value);
  if (json === undefined) return;
  if (returnsToHost) host.result(json.length > maxResultLength ? json.length : json);
  else host.write(1, `${json}\n`);
}

let answerInput: (text: string | undefined) => void;

function readInput(): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  answerInput = resolve;
  host.readInput();
  return promise;
}

export function input(text: string | undefined): void {
  answerInput(text);
}

function toJson(value: unknown): string | undefined {
  try {
    return stringify(value);
  } catch (error) {
    throw new TypeError(
      `the default export returned what JSON cannot hold: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

/** Exit code of node for a top-level await that never settles. */
const unsettled = 13;

/** The exit code at the program's natural end, when nothing can enter it any more. */
export function finalExitCode(): number {
  const code = exitCode();
  if (awaited === undefined || !startInfo().isModule || code !== 0) return code;
  const { excerpt, onlyPlace } = errors();
  const place = awaited === topLevelAwait ? excerpt(onlyPlace(/\bawait\b/)) : '';
  host.write(
    2,
    `Warning: Detected unsettled ${awaited} at ${place === '' ? `the end of ${startInfo().entry}\n` : `${place}\n\n`}`,
  );
  return unsettled;
}
