/** The part of node's `process` that a program in an isolate has: what is not here sends a program to node. */
import { invalidArgument } from './arguments.ts';
import { host } from './host.ts';
import { assignedExitCode, assignExitCode, exitCode, NativeProxy, set, setWriter, startInfo, variables } from './program.ts';

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
  if (arguments.length > 0) assignExitCode(validExitCode(value));
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

/** Values are strings, as in the environment of a process. */
function environment(): Record<string, string> {
  return new NativeProxy(variables(), { set: (target, key, value) => set(target, key, `${value}`) });
}

/** A program may have replaced the streams' `write` to see what is written. */
function writeThrough(streams: readonly [Stream, Stream]): void {
  const own = streams.map(({ write }) => write);
  setWriter((fd, text) => {
    const stream = streams[fd - 1] as Stream;
    if (stream.write === own[fd - 1]) host.write(fd, text);
    else stream.write(text);
  });
}

function create(): object {
  const start = startInfo();
  const [stdout, stderr] = [stream(1), stream(2)];
  writeThrough([stdout, stderr]);
  const process = {
    env: environment(),
    argv: [...start.argv],
    cwd: () => start.cwd,
    exit,
    stdout,
    stderr,
  };
  return Object.defineProperty(process, 'exitCode', {
    get: assignedExitCode,
    set: (value: unknown) => {
      assignExitCode(validExitCode(value));
      host.exitCode(exitCode());
    },
    enumerable: true,
    configurable: true,
  });
}

/** What a program has as `process`. */
export const process = create();
