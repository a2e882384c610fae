/**
 * The default export of a program that runs in node, called as in an isolate (`sandbox/isolate/guest/modules.ts`): given
 * to node by `--import`, before the program's file.
 *
 * The first module that is loaded after this one is the program. Nothing is added to it: an `import()` of the same URL
 * gives the same module once it is evaluated, its top-level await included, or fails with it, which node then reports.
 * `PRISN_INPUT` holds the JSON of --input, or nothing where standard input may have some, and `PRISN_REQUEST` the head of
 * an HTTP request to answer (`node-request.ts`); both are gone before the program starts. Without the first, in a worker thread or in a forked child that inherits the option, nothing happens here.
 *
 * No function of this file is on the stack when the program's is called, so none is in the traces that it prints.
 */
import { registerHooks } from 'node:module';
import { messageOf } from '../../src/base/error.ts';
import { exitCodes } from '../../src/base/exit-codes.ts';

interface Exports {
  readonly default?: unknown;
  readonly __esModule?: boolean;
}

type Main = (input: unknown, context: object) => unknown;

/** Taken before the program can replace them. */
const { parse, stringify } = JSON;
const functionText = Function.prototype.call.bind(Function.prototype.toString) as (value: unknown) => string;

const given = taken('PRISN_INPUT');
const request = taken('PRISN_REQUEST');
const answering = request === undefined ? undefined : await import('./node-request.ts');
const printed = answering?.holdPrinted();
if (given !== undefined) callDefaultExport();

function taken(variable: string): string | undefined {
  const value = process.env[variable];
  delete process.env[variable];
  return value;
}

function callDefaultExport(): void {
  const hooks = registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context);
      hooks.deregister();
      const isScript = loaded.format === 'commonjs';
      queueMicrotask(() => {
        import(url).then(
          (namespace: Exports) => begin(defaultOf(namespace, isScript), url),
          () => {},
        );
      });
      return loaded;
    },
  });
}

/** What was exported as default by that word, which `module.exports` was not. */
function defaultOf(namespace: Exports, isScript: boolean): unknown {
  const exports = isScript ? (namespace.default as Exports | undefined) : namespace;
  return isScript && !exports?.__esModule ? undefined : exports?.default;
}

/** An error on the way is a rejection that nobody handles: node reports it and exits with 1. */
function begin(main: unknown, url: string): void {
  const work = answering && printed ? answering.answer(main, parse(request ?? ''), printed) : call(main);
  if (!work) return;
  let isPending = true;
  reportUnsettled(url, () => isPending);
  void work.finally(() => {
    isPending = false;
  });
}

/** A function, but no class, is called with the input; what it returns is printed as JSON. */
function call(main: unknown): Promise<void> | undefined {
  if (typeof main !== 'function' || /^class\b/.test(functionText(main))) return undefined;
  const args: unknown[] = [];
  return (given ? Promise.resolve(parse(given)) : readInput())
    .then((input) => void args.push(input, { args: process.argv.slice(2), env: process.env }))
    .then(Reflect.apply.bind(undefined, main as Main, undefined, args))
    .then(stringify)
    .then((json: string | undefined) => {
      if (json !== undefined) process.stdout.write(`${json}\n`);
    });
}

/** @returns the value of the JSON on standard input; undefined when that is a terminal or empty */
async function readInput(): Promise<unknown> {
  if (process.getBuiltinModule('node:tty').isatty(0)) return undefined;
  const text = await process.getBuiltinModule('node:stream/consumers').text(process.stdin);
  if (text.trim() === '') return undefined;
  try {
    return parse(text);
  } catch (error) {
    const why = `standard input is not JSON (${messageOf(error)})`;
    process.stderr.write(`prisn: ${why}; the default export takes JSON there or by --input '<json>'\n`);
    process.exit(exitCodes.usage);
  }
}

/** Exit code of node for a top-level await that never settles. */
const unsettled = 13;

/** Sets it at the natural end of a program, when nothing can settle any more. */
function reportUnsettled(url: string, isPending: () => boolean): void {
  process.once('beforeExit', () => {
    process.once('exit', (code) => {
      if (!isPending() || code !== 0) return;
      process.stderr.write(`Warning: Detected unsettled promise of the default export at the end of ${url}\n`);
      process.exitCode = unsettled;
    });
  });
}
