/**
 * The host's half of the border: what `guest/host.ts` declares, made safe to hand to code that nobody trusts. Arguments
 * are copies, and may be anything; what throws gives the guest a clean error without a stack or a path of ours.
 */
import { messageOf } from '../../src/base/error.ts';
import type { Host } from './guest/host.ts';
import type { SessionIo } from './session.ts';
import type { ProgramSources } from './sources.ts';
import * as web from './web-calls.ts';

/** What a session does when its guest asks. */
export interface SessionControl {
  readonly timer: (delayMs: number, keepAlive: boolean) => void;
  readonly exit: (code: number) => void;
  /** Ends the run because its input is not of the form that it needs. */
  readonly refuse: (message: string) => void;
  readonly importModule: (id: number, referrer: string, specifier: string) => void;
  /** An answer will come: the program is not at its end. */
  readonly hold: () => void;
  readonly deliver: (id: number, ok: boolean, head: string, body?: ArrayBuffer) => void;
}

export class HostCalls {
  readonly #io: SessionIo;
  readonly #control: SessionControl;
  readonly #fetches = new Map<number, AbortController>();
  /** Requests that wait for one of the running ones to end. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #closed = false;
  readonly #started = process.hrtime();
  readonly functions: Host;

  constructor(io: SessionIo, sources: ProgramSources, control: SessionControl) {
    this.#io = io;
    this.#control = control;
    const functions: Host = {
      write: (fd, data) => io.write(fd === 2 ? 2 : 1, data),
      timer: (delayMs, keepAlive) => control.timer(Number(delayMs), Boolean(keepAlive)),
      exit: (code) => control.exit(Number(code) & 0xff),
      readInput: () => this.#readInput(),
      clone: web.clone,
      random: web.random,
      uuid: web.uuid,
      now: () => milliseconds(process.hrtime(this.#started)),
      parseUrl: web.parseUrl,
      setUrl: web.setUrl,
      encodingOf: web.encodingOf,
      decode: web.decode,
      fetch: (id, request, body) => this.#fetch(id, request, body),
      abortFetch: (id) => this.#fetches.get(id)?.abort(),
      importModule: (id, referrer, specifier) => control.importModule(Number(id), String(referrer), String(specifier)),
      mapPosition: (file, line, column) => sources.position(String(file), Number(line), Number(column)),
      sourceLine: (file, line) => sources.line(String(file), Number(line)),
      inNode: (name) => commonJs.includes(name) || name in globalThis,
    };
    this.functions = guarded(functions, () => this.#closed);
  }

  /** Lets go of what is still under way. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
    for (const controller of this.#fetches.values()) controller.abort();
    this.#fetches.clear();
  }

  #readInput(): string | undefined {
    const text = this.#io.readInput();
    if (text === undefined || text.trim() === '') return undefined;
    try {
      JSON.parse(text);
      return text;
    } catch (error) {
      this.#control.refuse(
        `standard input is not JSON (${messageOf(error)}); the default export takes JSON there or by --input '<json>'`,
      );
      return undefined;
    }
  }

  #fetch(id: number, request: string, body: Uint8Array | undefined): void {
    const controller = new AbortController();
    this.#fetches.set(id, controller);
    this.#control.hold();
    const start = async (): Promise<void> => {
      const { ok, head, body: bytes } = await web.startFetch(request, body, controller.signal);
      this.#running--;
      this.#waiting.shift()?.();
      if (this.#closed) return;
      this.#fetches.delete(id);
      this.#control.deliver(id, ok, head, bytes);
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

/** What node has in a CommonJS module beside the globals. */
const commonJs: readonly string[] = ['require', 'module', 'exports', '__dirname', '__filename'];

/** Nothing that a function of the host throws reaches the guest as it is, and what comes after the end does nothing. */
function guarded(functions: Host, isClosed: () => boolean): Host {
  return Object.fromEntries(
    Object.entries(functions).map(([name, call]) => [
      name,
      (...args: unknown[]) => {
        if (isClosed()) return undefined;
        try {
          return call(...args);
        } catch (error) {
          throw clean(error);
        }
      },
    ]),
  ) as unknown as Host;
}

function clean(error: unknown): Error {
  const copy = new Error(messageOf(error));
  copy.stack = '';
  return copy;
}

function milliseconds([seconds, nanoseconds]: [number, number]): number {
  return seconds * 1000 + nanoseconds / 1e6;
}
