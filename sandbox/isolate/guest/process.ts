/** The part of node's `process` that a program in an isolate has: what is not here sends a program to node. */
import { invalidArgument } from './arguments.ts';
import { host, type Start } from './host.ts';

let code: unknown;
let started: Start;
/** What `process.env` is, behind its proxy. */
let variables: Record<string, string>;

export function setStart(start: Start): void {
  started = start;
}

/** What the host told when the run began. */
export function startInfo(): Start {
  return started;
}

/** Another call of a program that serves several: what is the call's own is made anew. */
export function beginCall(executionId: string | undefined): void {
  code = undefined;
  if (executionId === undefined) return;
  variables['PRISN_EXECUTION_ID'] = executionId;
  (started.env as Record<string, string>)['PRISN_EXECUTION_ID'] = executionId;
}

/** The exit code that the program asked for by `process.exitCode`, 0 otherwise. */
export function exitCode(): number {
  return code === undefined || code === null ? 0 : Number(code) & 0xff;
}

/** Node takes integers and strings of integers, and refuses everything else. */
function validExitCode(value: unknown): unknown {
  if (value === undefined || value === null) return value;
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (Number.isInteger(number)) return value;
  if (typeof value !== 'number') throw invalidArgument('code', 'of type number', value);
  throw Object.assign(new RangeError(`The value of "code" is out of range. It must be an integer. Received ${value}`), {
    code: 'ERR_OUT_OF_RANGE',
  });
}

function exit(value?: unknown): never {
  if (arguments.length > 0) code = validExitCode(value);
  host.exit(exitCode());
  throw new Error('unreachable: the host has ended the program');
}

interface Stream {
  write(chunk: unknown, encoding?: unknown, done?: unknown): boolean;
}

function stream(fd: 1 | 2): Stream {
  return {
    write(chunk, encoding, done) {
      if (chunk === null)
        throw Object.assign(new TypeError('May not write null values to stream'), { code: 'ERR_STREAM_NULL_VALUES' });
      if (typeof chunk !== 'string' && !ArrayBuffer.isView(chunk))
        throw invalidArgument('chunk', 'of type string or an instance of Buffer, TypedArray, or DataView', chunk);
      // A copy: isolated-vm takes the whole buffer behind a view along.
      host.write(
        fd,
        typeof chunk === 'string' ? chunk : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength).slice(),
      );
      const callback = typeof encoding === 'function' ? encoding : done;
      if (typeof callback === 'function') void Promise.resolve().then(() => callback(null));
      return true;
    },
  };
}

/** V8's own: one that the program makes is noted, to be shown as a proxy. */
const { Proxy } = globalThis;

/** Values are strings, as in the environment of a process. */
function environment(values: Readonly<Record<string, string>>): Record<string, string> {
  const { set } = Reflect; // before the program can replace it
  variables = { ...values };
  return new Proxy(variables, { set: (target, key, value) => set(target, key, `${value}`) });
}

let streams: { readonly stdout: Stream; readonly stderr: Stream };
let own: readonly unknown[];

/** As node's console writes: through the streams' `write`, which a program may have replaced to see what is written. */
export function writeTo(fd: 1 | 2, text: string): void {
  const stream = fd === 1 ? streams.stdout : streams.stderr;
  if (stream.write === own[fd]) host.write(fd, text);
  else stream.write(text);
}

export function createProcess(start: Start): object {
  streams = { stdout: stream(1), stderr: stream(2) };
  own = [undefined, streams.stdout.write, streams.stderr.write];
  const process = {
    env: environment(start.env),
    argv: [...start.argv],
    cwd: () => start.cwd,
    exit,
    ...streams,
  };
  return Object.defineProperty(process, 'exitCode', {
    get: () => code,
    set: (value: unknown) => {
      code = validExitCode(value);
      host.exitCode(exitCode());
    },
    enumerable: true,
    configurable: true,
  });
}
