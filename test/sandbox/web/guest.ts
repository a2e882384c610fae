/**
 * An isolate with the web APIs alone: the guest's files bundled, their host functions bound, and a way to ask the same
 * of node and of the isolate and compare what they say.
 */
import { inspect } from 'node:util';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import ivm from 'isolated-vm';
import { nodeSources } from '../../../sandbox/isolate/node-sources.ts';
import { type Host, hostFunctions } from '../../../sandbox/isolate/guest/host.ts';
import * as web from '../../../sandbox/isolate/web-calls.ts';

const guestFolder = fileURLToPath(new URL('../../../sandbox/isolate/guest', import.meta.url));

const entry = `
  import { hostFunctions, setHost } from './host.ts';
  import { installStackTraces } from './errors.ts';
  import { setStart } from './process.ts';
  import { fire, setTimeout } from './timers.ts';
  import { deliver, installWebGlobals } from './web/globals.ts';
  export function boot(timeOrigin, ...functions) {
    setHost(Object.fromEntries(hostFunctions.map((name, index) => [name, functions[index]])));
    installStackTraces();
    setStart({ timeOrigin, engine: 'test', colors: {} });
    installWebGlobals(globalThis);
    globalThis.setTimeout = setTimeout;
    const inspect = (value) => require('./inspect.ts').inspect(value);
    return { fire, deliver, inspect };
  }`;

export async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: guestFolder, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'prelude',
    platform: 'neutral',
    target: 'es2024',
    plugins: [nodeSources],
    logLevel: 'warning',
  });
  return `${outputFiles[0]?.text ?? ''};prelude.boot`;
}

/** How a case ended, as text: the value as \`console.log\` shows it, or what identifies an error. */
const describeSource = `(run, inspect) => {
  const failed = (error) => {
    if (!(typeof error === 'object' && error !== null && 'message' in error)) return 'threw ' + inspect(error);
    const fields = Object.keys(error).map((key) => key + '=' + inspect(error[key])).join(' ');
    return ['threw', error.constructor.name, error.name, error.code, error.message, fields, String(error)].join(' | ');
  };
  return Promise.resolve().then(run).then((value) => inspect(value), failed);
}`;

function asFunction(code: string): string {
  return code.includes('return ') && !code.startsWith('(') ? `async () => { ${code} }` : `async () => (${code})`;
}

export async function inNode(code: string): Promise<string> {
  // oxlint-disable-next-line no-eval -- the test's own code
  const [describe, run] = (0, eval)(`[${describeSource}, ${asFunction(code)}]`) as [
    (...args: unknown[]) => Promise<string>,
    unknown,
  ];
  return describe(run, inspect);
}

function absent(): never {
  throw new Error('not in this test');
}

export class Guest {
  readonly #isolate = new ivm.Isolate({ memoryLimit: 512 });
  readonly #context = this.#isolate.createContextSync();
  readonly #entries: ivm.Reference;
  readonly #waiting = new Map<number, (text: string) => void>();
  readonly #fetches = new Map<number, AbortController>();
  readonly #startedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #lastRun = 0;
  /** What was written to stderr, and the exit codes that were asked for. */
  readonly stderr: string[] = [];
  readonly exits: number[] = [];
  /** Host functions by how often they were called. */
  readonly calls: Record<string, number> = {};

  constructor(code: string) {
    const functions: Readonly<Record<string, (...args: never[]) => unknown>> = { ...this.#functions() };
    const callbacks = hostFunctions.map(
      (name) =>
        new ivm.Callback((...args: never[]) => {
          this.calls[name] = (this.calls[name] ?? 0) + 1;
          return functions[name]?.(...args);
        }),
    );
    const boot = this.#isolate.compileScriptSync(code, { filename: 'prisn:prelude' }).runSync(this.#context, { reference: true });
    this.#entries = boot.applySync(undefined, [performance.timeOrigin + this.#startedMs, ...callbacks], {
      result: { reference: true },
    }) as ivm.Reference;
    this.#context.global.setSync('inspect', this.#entries.getSync('inspect', { reference: true }).derefInto());
    this.#context.global.setSync('settle', new ivm.Callback((id: number, text: string) => this.#waiting.get(id)?.(text)));
  }

  /** Runs code as a case. */
  run(code: string): Promise<string> {
    const id = ++this.#lastRun;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#waiting.set(id, resolve);
    this.evaluate(`(${describeSource})(${asFunction(code)}, inspect).then((text) => settle(${id}, text)); undefined`);
    return promise;
  }

  /** The value of a script. */
  evaluate(code: string): unknown {
    return this.#isolate.compileScriptSync(code).runSync(this.#context, { copy: true });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const controller of this.#fetches.values()) controller.abort();
    this.#isolate.dispose();
  }

  #functions(): Host {
    return {
      write: (_fd, data) => void this.stderr.push(String(data)),
      timer: (delayMs) => this.#arm(delayMs),
      exit: (code) => void this.exits.push(code),
      readInput: absent,
      clone: web.clone,
      random: web.random,
      uuid: web.uuid,
      now: () => performance.now() - this.#startedMs,
      parseUrl: web.parseUrl,
      setUrl: web.setUrl,
      encodingOf: web.encodingOf,
      decode: web.decode,
      fetch: (id, request, body) => this.#fetch(id, request, body),
      abortFetch: (id) => this.#fetches.get(id)?.abort(),
      importModule: absent,
      mapPosition: () => undefined,
      sourceLine: () => undefined,
    };
  }

  #arm(delayMs: number): void {
    clearTimeout(this.#timer);
    if (delayMs >= 0) this.#timer = setTimeout(() => this.#enter('fire'), delayMs);
  }

  #fetch(id: number, request: string, body: Uint8Array | undefined): void {
    const controller = new AbortController();
    this.#fetches.set(id, controller);
    void this.#answer(id, web.startFetch(request, body, controller.signal));
  }

  async #answer(id: number, answer: ReturnType<typeof web.startFetch>): Promise<void> {
    const { ok, head, body } = await answer;
    this.#fetches.delete(id);
    if (!this.#isolate.isDisposed) this.#enter('deliver', id, ok, head, body);
  }

  #enter(name: string, ...args: unknown[]): void {
    this.#entries.getSync(name, { reference: true }).applyIgnored(undefined, args, { arguments: { copy: true } });
  }
}
