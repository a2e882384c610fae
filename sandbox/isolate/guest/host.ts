/**
 * The border, seen from the guest: everything that code in the isolate may ask of its host.
 *
 * All go through two isolated-vm Callbacks, by their numbers; arguments and results are structured clones, so no object of
 * the host ever reaches the guest. What takes time answers later through an entry of the prelude (`Entries`). One Callback
 * waits for the host's thread and brings its answer (15 µs), the other one only leaves word there (2 µs). The host hears
 * both in the order of the calls.
 */

/** How the module system, the timers and the web APIs reach their host. */
export interface Host {
  write(fd: 1 | 2, data: string | Uint8Array): void;
  /** Arms the one timer of the run, ms from now; -1 disarms. `keepAlive`: a program that waits for it is not at its end. */
  timer(delayMs: number, keepAlive: boolean): void;
  /** Does not return. */
  exit(code: number): void;
  /** What `process.exitCode` is from now on, 0 to 255. */
  exitCode(code: number): void;
  /** The module, and what its default export returned, is no longer waited for; of a program that serves calls, or the call. */
  settled(): void;
  /** The call has ended with an exception, which has been shown. */
  failed(): void;
  /** The program uses what may call it back after its end: nothing else may run in this isolate. */
  outlives(): void;
  /** Asks for standard input, read to its end. Answered by the entry `input`. */
  readInput(): void;
  /** What the default export returned, as JSON; the length alone of what is too long. */
  result(json: string | number): void;
  /** A whole response. `headers`: JSON of pairs, without one its length is added; undefined for JSON of the platform's own. */
  respond(status: number, headers: string | undefined, body: string | Uint8Array): void;
  /** Begins the response. `headers`: JSON of pairs. */
  head(status: number, headers: string): void;
  /** A piece of its body; an empty one is its end. */
  body(data: Uint8Array): void;
  /** The program cannot answer a request, be called without one, or be called more than once. Does not return. */
  noHandler(what: 'request' | 'input' | 'calls'): void;
  /** Structured clone by V8's serializer. */
  clone(value: unknown): unknown;
  random(size: number): ArrayBuffer;
  uuid(): string;
  /** Milliseconds since the start of the run. */
  now(): number;
  /** JSON array of the components of a URL, or undefined where it does not parse. */
  parseUrl(href: string, base: string | undefined): string | undefined;
  setUrl(href: string, property: string, value: string): string | undefined;
  /** The name of the encoding that a label stands for, or undefined where the host knows none. */
  encodingOf(label: string): string | undefined;
  /** Undefined where the bytes are not valid and `fatal`. `stream`: an unfinished character at the end is left out. */
  decode(bytes: Uint8Array, encoding: string, fatal: boolean, ignoreBom: boolean, stream: boolean): string | undefined;
  /** `request`: JSON. Answered by the entry `deliver`. */
  fetch(id: number, request: string, body: Uint8Array | undefined): void;
  abortFetch(id: number): void;
  /** `import(specifier)` of the module `referrer`. Answered by the entries `imported` and `importFailed`. */
  importModule(id: number, referrer: string, specifier: string): void;
  /** `[file, line, column]` in the user's source for a position in translated code, or undefined where none was. */
  mapPosition(file: string, line: number, column: number): [string, number, number] | undefined;
  /** A line of a source file of the program, 1-based. */
  sourceLine(file: string, line: number): string | undefined;
  /** Whether node has a global, or a variable of CommonJS, of this name. */
  inNode(name: string): boolean;
}

/** What the platform asks besides. */
interface PlatformHost extends Host {
  /** A module of the guest's that is not here yet. */
  part(id: string): (exports: object, require: (id: string) => object) => void;
}

/** Each function, and whether somebody waits for its answer, or for its error. */
const all: Record<keyof PlatformHost, 'asked' | 'told'> = {
  write: 'told',
  timer: 'told',
  exit: 'asked',
  exitCode: 'told',
  settled: 'told',
  failed: 'told',
  outlives: 'told',
  readInput: 'asked',
  result: 'told',
  respond: 'told',
  head: 'asked',
  body: 'told',
  noHandler: 'asked',
  clone: 'asked',
  random: 'asked',
  uuid: 'asked',
  now: 'asked',
  parseUrl: 'asked',
  setUrl: 'asked',
  encodingOf: 'asked',
  decode: 'asked',
  fetch: 'asked',
  abortFetch: 'told',
  importModule: 'told',
  mapPosition: 'asked',
  sourceLine: 'asked',
  inNode: 'asked',
  part: 'asked',
};

/** By their numbers. */
export const hostFunctions = Object.keys(all) as (keyof PlatformHost)[];

export type HostCall = (index: number, ...args: unknown[]) => unknown;

/** What was only told may pile up at the host: as many of these, or as much text or bytes, are followed by a call that waits. */
const maxToldCalls = 256;
const maxToldSize = 2 ** 16;

/** What the host tells the guest once, before the program starts. */
export interface Start {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The program's own file, as V8 and stack traces name it. */
  readonly entry: string;
  /** Whether the program is an ES module, whose end is that of its evaluation. */
  readonly isModule: boolean;
  /** JSON text for a default export that is a function. */
  readonly input?: string;
  /** The program is called to answer this. */
  readonly request?: Request;
  /** The program is called again and again, by the entry `calls`. */
  readonly serves?: boolean;
  /** Whether the host is told what such a function returns; it is printed otherwise. */
  readonly returnsToHost: boolean;
  /** Such as `Node.js v26.10.0`: it ends the report of an uncaught error, as under node. */
  readonly engine: string;
  readonly timeOrigin: number;
  /** Whether output goes to a terminal that shows colours. */
  readonly colors: { readonly stdout: boolean; readonly stderr: boolean };
}

/** An HTTP request; names of headers in lower case. */
export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As text where each character is one byte below 128. */
  readonly body: Uint8Array | string;
}

/** What was thrown in the guest and came out of it as a copy, on its way back. */
export interface Failure {
  /** Finds the error object again; undefined for what is no error of the guest's. */
  readonly stack: string | undefined;
  /** The message, or the text of what is no error. */
  readonly message: string;
  /** The message of a syntax error, when it is V8's. */
  readonly syntax: string | undefined;
  /** The value that was thrown, when it is no object. */
  readonly primitive?: unknown;
}

/**
 * What the host may call in the guest, by name through the one function that `boot` returns. Every entry catches what the
 * program throws; what escapes an entry is a rejection that nobody handled.
 */
export interface Entries {
  /** Runs one timer if it is due, and arms the next. */
  fire(): void;
  deliver(id: number, ok: boolean, head: string, body: ArrayBuffer | undefined): void;
  /**
   * Calls, one after the other; of each the id of its execution, the head of its request and its body, or undefined and its
   * input. The head: JSON of method, URL and headers. Each is answered by `settled` or `failed`.
   */
  calls(...fields: unknown[]): void;
  /** Standard input; undefined when there is none. */
  input(text: string | undefined): void;
  /** The module of an `import()` is linked, and evaluated next. */
  opening(id: number): void;
  /** The module of this `import()` is that of an earlier one. */
  importedBefore(id: number, first: number): void;
  importFailed(id: number, failure: Failure): void;
  /** A promise was rejected and nobody listened. @returns whether it was the evaluation of an import, which now rejects */
  unhandled(failure: Failure): boolean;
  /** Whether the program's script has been entered: it compiled. */
  hasBegun(): boolean;
  exitCode(): number;
}

/**
 * What the lines that the host adds around modules call, under `Symbol.for('prisn.module')` of the global object: they
 * are code of the guest, so a namespace object passes from one module to another without leaving the isolate.
 */
export interface ModuleBindings {
  /** Runs the program's script, the wrapped body of which this is. */
  script(body: (importModule: unknown) => unknown): void;
  importer(referrer: string): (specifier: unknown) => Promise<object>;
  meta(file: string, url: string, main: boolean): object;
  imported(id: number, namespace: object): void;
  /** The program's own module graph has been evaluated. */
  evaluated(namespace: object): void;
}

/** Fixed parameters, as many as the longest of the functions has: a program may have broken what spreading needs. */
type Call = (a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown) => unknown;

let ask: HostCall;
let tell: HostCall;
let toldCalls = 0;
let toldSize = 0;

/** The guest's side of the border is made before there is a host. */
export const host: PlatformHost = Object.fromEntries(
  hostFunctions.map((name, index) => [name, all[name] === 'asked' ? asking(index) : telling(index)]),
) as unknown as PlatformHost;

function asking(index: number): Call {
  return (a, b, c, d, e) => ask(index, a, b, c, d, e);
}

function telling(index: number): Call {
  return (a, b, c) => {
    toldSize += sizeOf(a) + sizeOf(b) + sizeOf(c);
    if (++toldCalls < maxToldCalls && toldSize < maxToldSize) return tell(index, a, b, c);
    toldCalls = toldSize = 0;
    return ask(index, a, b, c);
  };
}

function sizeOf(value: unknown): number {
  return typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.byteLength : 0;
}

let turns = 0;

/** Grows with each entry of the host's. */
export function turn(): number {
  return turns;
}

export function nextTurn(): void {
  turns++;
}

export function connect(asking: HostCall, telling: HostCall): void {
  ask = asking;
  tell = telling;
}
