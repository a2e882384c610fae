/**
 * The default export of a program that runs in node, called as in an isolate (`sandbox/isolate/guest/modules.ts`): given
 * to node by `--import`, before the program's file.
 *
 * The first module that is loaded after this one is the program. Nothing is added to it: an `import()` of the same URL
 * gives the same module once it is evaluated, its top-level await included, or fails with it, which node then reports.
 * `PRISN_INPUT` holds the JSON of --input, or nothing where standard input may have some; it is gone before the program
 * starts. Without it, in a worker thread or in a forked child that inherits the option, nothing happens here.
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

const variable = 'PRISN_INPUT';
const given = process.env[variable];
delete process.env[variable];
if (given !== undefined) callDefaultExport();

function callDefaultExport(): void {
  const hooks = registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context);
      hooks.deregister();
      const isScript = loaded.format === 'commonjs';
      queueMicrotask(() => {
        import(url).then(
          (namespace: Exports) => call(mainOf(namespace, isScript), url),
          () => {},
        );
      });
      return loaded;
    },
  });
}

/** A function that was exported as default by that word: neither `module.exports` nor a class. */
function mainOf(namespace: Exports, isScript: boolean): Main | undefined {
  const exports = isScript ? (namespace.default as Exports | undefined) : namespace;
  const main = isScript && !exports?.__esModule ? undefined : exports?.default;
  return typeof main === 'function' && !/^class\b/.test(functionText(main)) ? (main as Main) : undefined;
}

/** An error on the way is a rejection that nobody handles: node reports it and exits with 1. */
function call(main: Main | undefined, url: string): void {
  if (!main) return;
  let isPending = true;
  reportUnsettled(url, () => isPending);
  const args: unknown[] = [];
  void (given ? Promise.resolve(parse(given)) : readInput())
    .then((input) => void args.push(input, { args: process.argv.slice(2), env: process.env }))
    .then(Reflect.apply.bind(undefined, main, undefined, args))
    .then(stringify)
    .finally(() => {
      isPending = false;
    })
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
