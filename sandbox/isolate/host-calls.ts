/**
 * The host's half of the border: what `guest/host.ts` declares, made safe to hand to code that nobody trusts. Arguments
 * are copies, and may be anything; what throws gives the guest a clean error without a stack or a path of ours.
 */
import { messageOf } from '../../src/base/error.ts';
import { exitCodes } from '../../src/base/exit-codes.ts';
import { formatBytes } from '../../src/base/units.ts';
import type { FunctionHead } from '../../src/model/task.ts';
import type { Host } from './guest/host.ts';
import type { SessionIo } from './session-io.ts';
import type { ProgramSources } from './sources.ts';
import * as web from './web-calls.ts';

/** What a session does when its guest asks. */
export interface SessionControl {
  readonly timer: (delayMs: number, keepAlive: boolean) => void;
  readonly exit: (code: number) => void;
  /** Ends the run because its input, its result or itself is not of the form that it must have. */
  readonly refuse: (message: string, exitCode: number) => void;
  readonly exitCode: (code: number) => void;
  readonly settled: () => void;
  readonly failed: () => void;
  readonly outlives: () => void;
  /** Keeps what the default export returned. */
  readonly result: (json: string) => void;
  readonly importModule: (id: number, referrer: string, specifier: string) => void;
  /** An answer will come: the program is not at its end. @returns to be called when it has come */
  readonly hold: () => () => void;
  readonly deliver: (id: number, ok: boolean, head: string, body?: ArrayBuffer) => void;
  readonly deliverInput: (text: string | undefined) => void;
}

export class HostCalls {
  readonly #io: SessionIo;
  readonly #control: SessionControl;
  readonly #fetches = new Map<number, { readonly controller: AbortController; readonly release: () => void }>();
  /** Requests that wait for one of the running ones to end. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Grows when what is under way is abandoned. */
  #epoch = 0;
  #mayAct: Promise<void> | undefined;
  #answered = false;
  #closed = false;
  readonly #started = process.hrtime();
  readonly functions: Host;

  constructor(io: SessionIo, sources: ProgramSources, control: SessionControl) {
    this.#io = io;
    this.#control = control;
    this.functions = {
      write: (fd, data) => io.write(fd === 2 ? 2 : 1, data),
      timer: (delayMs, keepAlive) => control.timer(Number(delayMs), Boolean(keepAlive)),
      exit: (code) => control.exit(Number(code) & 0xff),
      exitCode: (code) => control.exitCode(Number(code) & 0xff),
      settled: () => control.settled(),
      failed: () => control.failed(),
      outlives: () => control.outlives(),
      readInput: () => this.#readInput(),
      result: (json) => this.#result(json),
      respond: (status, headers, body) => this.#respond(status, headers, body),
      head: (status, headers) => this.#head(status, headers),
      body: (data) => this.#body(data),
      noHandler: (what) => control.refuse(nothingThere[what] ?? nothingThere.request, exitCodes.failed),
      clone: web.clone,
      random: web.random,
      uuid: web.uuid,
      now: () => milliseconds(process.hrtime(this.#started)),
      parseUrl: web.parseUrl,
      setUrl: web.setUrl,
      encodingOf: web.encodingOf,
      decode: web.decode,
      fetch: (id, request, body) => this.#fetch(id, request, body),
      abortFetch: (id) => this.#fetches.get(id)?.controller.abort(),
      importModule: (id, referrer, specifier) => control.importModule(Number(id), String(referrer), String(specifier)),
      mapPosition: (file, line, column) => sources.position(String(file), Number(line), Number(column)),
      sourceLine: (file, line) => sources.line(String(file), Number(line)),
      inNode: (name) => commonJs.includes(name) || name in globalThis,
    };
  }

  /** A call of the guest's: nothing that is thrown reaches it as it is, and what comes after the end does nothing. */
  readonly answer = (name: keyof Host, args: readonly unknown[]): unknown => {
    if (this.#closed) return undefined;
    try {
      return (this.functions[name] as (...args: readonly unknown[]) => unknown)(...args);
    } catch (error) {
      throw clean(error);
    }
  };

  /** Another call of a program that serves several begins. */
  beginCall(): void {
    this.#answered = false;
    this.#mayAct = undefined;
  }

  /** Lets go of what is still under way. */
  close(): void {
    this.#closed = true;
    this.abandon();
  }

  /** Aborts the requests that are under way, and nobody hears of them any more. */
  abandon(): void {
    this.#epoch++;
    this.#running = 0;
    this.#waiting.length = 0;
    for (const { controller, release } of this.#fetches.values()) {
      controller.abort();
      release();
    }
    this.#fetches.clear();
  }

  #readInput(): void {
    const release = this.#control.hold();
    try {
      this.#io.readInput((text) => {
        if (this.#closed) return;
        const { input, refusal } = inputFrom(text);
        if (refusal === undefined) this.#control.deliverInput(input);
        else this.#control.refuse(refusal, exitCodes.usage);
        release();
      });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** @param json the text, or its length where that alone is too much */
  #result(json: unknown): void {
    const size = typeof json === 'number' ? json : Buffer.byteLength(String(json));
    if (size <= maxResultBytes) return this.#control.result(String(json));
    const most = formatBytes(maxResultBytes);
    this.#control.refuse(
      `the default export returned ${size} bytes of JSON, and a result has at most ${most}; write it somewhere and return where`,
      exitCodes.failed,
    );
  }

  /** What is wrong with it the guest has looked for by itself, unless the program did something to it. */
  #respond(status: unknown, headers: unknown, body: unknown): void {
    if (this.#answered) return;
    this.#answered = true;
    try {
      const data = typeof body === 'string' ? Buffer.from(body) : body;
      if (!(data instanceof Uint8Array)) throw new TypeError('a body is bytes');
      const ofJson = { status: 200, headers: [jsonType, ['content-length', String(data.length)]] as const };
      this.#io.answer?.(headers === undefined ? ofJson : checkedHead(status, headers), data);
    } catch (error) {
      this.#control.refuse(messageOf(error), exitCodes.failed);
    }
  }

  #head(status: unknown, headers: unknown): void {
    if (this.#answered) throw new TypeError('the request has been answered');
    const head = checkedHead(status, headers);
    this.#answered = true;
    this.#io.head?.(head);
  }

  #body(data: unknown): void {
    if (!this.#answered) throw new TypeError('a body without a head');
    if (!(data instanceof Uint8Array)) throw new TypeError('a body is bytes');
    this.#io.body?.(data);
  }

  #fetch(id: number, request: string, body: Uint8Array | undefined): void {
    const controller = new AbortController();
    const release = this.#control.hold();
    this.#fetches.set(id, { controller, release });
    const epoch = this.#epoch;
    const start = async (): Promise<void> => {
      if (this.#io.beforeActing) await (this.#mayAct ??= this.#io.beforeActing());
      if (epoch !== this.#epoch) return;
      const { ok, head, body: bytes } = await web.startFetch(request, body, controller.signal);
      if (epoch !== this.#epoch) return;
      this.#running--;
      this.#waiting.shift()?.();
      this.#fetches.delete(id);
      this.#control.deliver(id, ok, head, bytes);
      release();
    };
    const run = (): void => {
      this.#running++;
      void start();
    };
    if (this.#running < maxFetches) run();
    else this.#waiting.push(run);
  }
}

/** Fetches of one program at once: the body of each may take 100 MB of the host. */
const maxFetches = 32;

/** Bytes of JSON: as much as a record of the store holds. */
const maxResultBytes = 512 * 2 ** 10;
/** Characters of JSON; what HTTP servers and proxies take is less. */
const maxHeadLength = 256 * 2 ** 10;

const whereInput = "the default export takes JSON there or by --input '<json>'";
const jsonType = ['content-type', 'application/json'] as const;

const whatAnswers =
  'write export default function (input) { return … }, export default function (request) { return new Response(…) }, ' +
  'or export default { fetch(request, env, ctx) { … } }';
const nothingThere = {
  request: `the program exports nothing that answers a request; ${whatAnswers}`,
  input: 'the program answers HTTP requests only: its default export is no function but has fetch; call it at /fn/NAME',
  calls: `reuse keeps a program to be called again, and this one has no default export that could be; ${whatAnswers}, or deploy it with --no-reuse`,
};

export interface ReadInput {
  readonly input?: string;
  readonly refusal?: string;
}

/** Standard input as the input of a default export; what is blank is none. */
export function inputFrom(text: string | undefined): ReadInput {
  if (text === undefined || text.trim() === '') return {};
  const wrong = whyNoJson(text);
  return wrong === undefined ? { input: text } : { refusal: `standard input is not JSON (${wrong}); ${whereInput}` };
}

/** @returns what is wrong with the text, or undefined for JSON */
function whyNoJson(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** RFC 9110, 5.1 and 5.5, as node's server takes them: whatever the guest did to its own checks. */
function checkedHead(status: unknown, json: unknown): FunctionHead {
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599)
    throw new RangeError(`${String(status)} is not the status of a response`);
  if (typeof json !== 'string' || json.length > maxHeadLength)
    throw new RangeError(`the headers of a response have at most ${formatBytes(maxHeadLength)}`);
  const headers = (JSON.parse(json) as unknown[]).map((pair): readonly [string, string] => {
    const [name, value] = pair as [unknown, unknown];
    if (typeof name !== 'string' || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
      throw new TypeError(`${JSON.stringify(name)} is not the name of a header`);
    if (typeof value !== 'string' || /[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw new TypeError(`${JSON.stringify(value)} cannot be the value of the header ${name}`);
    return [name, value];
  });
  return { status, headers };
}

/** What node has in a CommonJS module beside the globals. */
const commonJs: readonly string[] = ['require', 'module', 'exports', '__dirname', '__filename'];

function clean(error: unknown): Error {
  const copy = new Error(messageOf(error));
  copy.stack = '';
  return copy;
}

function milliseconds([seconds, nanoseconds]: [number, number]): number {
  return seconds * 1000 + nanoseconds / 1e6;
}
