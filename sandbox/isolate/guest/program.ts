/** What is known of the program, and what its exit code is. */
import { host, type Start } from './host.ts';

/** Taken before the program can replace them. */
const { parse } = JSON;
export const { set } = Reflect;
/** V8's own: one that the program makes is noted, to be shown as a proxy. */
export const NativeProxy = globalThis.Proxy;

let text: string;
let bytes: Uint8Array | undefined;
let start: Start | undefined;
let code: unknown;

/**
 * @param json of a `Start`, which is read when something of it is asked for
 * @param body of its request, where that is no text
 */
export function setStart(json: string, body?: Uint8Array): void {
  text = json;
  bytes = body;
}

/** What the host told when the run began. */
export function startInfo(): Start {
  if (start) return start;
  const told = parse(text) as Start;
  start = told.request && bytes ? { ...told, request: { ...told.request, body: bytes } } : told;
  return start;
}

let environment: Record<string, string> | undefined;

/** What `process.env` is, behind its proxy. */
export function variables(): Record<string, string> {
  environment ??= { ...startInfo().env };
  return environment;
}

/** Another call of a program that serves several: what is the call's own is made anew. */
export function beginCall(executionId: string | undefined): void {
  code = undefined;
  if (executionId === undefined) return;
  for (const values of [variables(), startInfo().env as Record<string, string>]) values['PRISN_EXECUTION_ID'] = executionId;
}

/** What the program has assigned to `process.exitCode`. */
export function assignedExitCode(): unknown {
  return code;
}

export function assignExitCode(value: unknown): void {
  code = value;
}

/** The exit code that the program asked for by `process.exitCode`, 0 otherwise. */
export function exitCode(): number {
  return code === undefined || code === null ? 0 : Number(code) & 0xff;
}

let write = (fd: 1 | 2, data: string): void => host.write(fd, data);

/** As node's console writes: through the streams of `process`, once there are any. */
export function writeTo(fd: 1 | 2, data: string): void {
  write(fd, data);
}

export function setWriter(value: typeof write): void {
  write = value;
}
