/**
 * Stack traces with the user's own positions, and the report of an error that nobody caught, in node's form:
 * `file:line`, the line, a caret, the inspected error, the engine.
 *
 * V8 calls `Error.prepareStackTrace` the first time that anybody reads `stack`. That is the one moment at which the
 * error object and its call sites are seen together, so what the report needs later is remembered there: isolated-vm
 * hands an unhandled rejection to the host as a copy, and the host gives the copy's stack back to find the original.
 */
import { type Failure, host } from './host.ts';
import { startInfo } from './program.ts';

interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Files of the prelude itself: never shown. */
const ownFiles = 'prisn:';

const positions = new WeakMap<object, Position>();
/** Errors with the stack that was made for them; bounded, since a program may format any number of them. */
const recent: { readonly stack: string; readonly error: WeakRef<object> }[] = [];
const maxRecent = 64;

/** `Error.prepareStackTrace`. */
export function format(error: object, sites: NodeJS.CallSite[]): string {
  const own = sites.filter((site) => !isOurs(site));
  const lines = own.map((site) => `\n    at ${describeSite(site)}`);
  const stack = Error.prototype.toString.call(error) + lines.join('');
  const first = own.find((site) => site.getFileName());
  if (first) positions.set(error, positionOf(first));
  if (recent.length >= maxRecent) recent.shift();
  recent.push({ stack, error: new WeakRef(error) });
  return stack;
}

/** The prelude, and the line that the host puts before the first one of a script (`linker.ts`), which has no number. */
function isOurs(site: NodeJS.CallSite): boolean {
  const file = site.getFileName();
  return typeof file === 'string' && (file.startsWith(ownFiles) || site.getLineNumber() === null);
}

function positionOf(site: NodeJS.CallSite): Position {
  const file = site.getFileName() ?? '<anonymous>';
  const line = site.getLineNumber() ?? 1;
  const column = site.getColumnNumber() ?? 1;
  const mapped = host.mapPosition(file, line, column);
  return mapped ? { file: mapped[0], line: mapped[1], column: mapped[2] } : { file, line, column };
}

/** V8's own text of a call site, with the position replaced where the file was translated. */
function describeSite(site: NodeJS.CallSite): string {
  const text = site.toString();
  const file = site.getFileName();
  const line = site.getLineNumber();
  const column = site.getColumnNumber();
  if (!file || !line || !column) return text;
  const mapped = host.mapPosition(file, line, column);
  return mapped ? text.replace(`${file}:${line}:${column}`, `${mapped[0]}:${mapped[1]}:${mapped[2]}`) : text;
}

/** The error object that has this stack, where it is still known and the only one. */
export function original(stack: string | undefined): object | undefined {
  if (stack === undefined) return undefined;
  const same = recent.filter((entry) => entry.stack === stack);
  if (same.length > 0) return same.at(-1)?.error.deref();
  // isolated-vm writes the line above the frames anew where the class is none of V8's.
  const frames = framesOf(stack);
  const alike = recent.filter((entry) => frames !== '' && framesOf(entry.stack) === frames);
  return alike.length === 1 ? alike[0]?.error.deref() : undefined;
}

function framesOf(stack: string): string {
  const start = stack.indexOf('\n    at ');
  return start < 0 ? '' : stack.slice(start);
}

/** Ends the program as node does for an exception that nobody caught. Does not return. */
export function reportUncaught(error: unknown): void {
  showUncaught(error);
  host.exit(1);
}

/** What node prints of it. */
export function showUncaught(error: unknown): void {
  const place = excerpt(throwPosition(error));
  show(textOf(isError(error) || place === '' ? place : `\n${place.replace(/\n$/, '')}`, error));
}

/** The same for an error that V8 did not see being thrown past everybody: of a rejection, of a microtask. */
export function reportWhereMade(error: unknown): void {
  report(isError(error) ? excerpt(creationPosition(error)) : '', error);
}

/** The same for a rejection that nobody handled; node makes an error of its own of what is none. */
export function reportUnhandled({ stack, message: reason }: Failure): void {
  const error = original(stack);
  if (error !== undefined) return reportWhereMade(error);
  if (stack !== undefined) return finish(stack);
  const rejection = new Error(
    'This error originated either by throwing inside of an async function without a catch block, ' +
      `or by rejecting a promise which was not handled with .catch(). The promise rejected with the reason "${reason}".`,
  );
  Object.defineProperty(rejection, 'name', { value: 'UnhandledPromiseRejection', enumerable: false });
  rejection.stack = `${rejection.name}: ${rejection.message}\n    at throwUnhandledRejectionsMode (node:internal/process/promises:322:7)`;
  Object.assign(rejection, { code: 'ERR_UNHANDLED_REJECTION' });
  report('node:internal/process/promises:322\n      new UnhandledPromiseRejection(reason);\n      ^\n\n', rejection);
}

function report(excerpt: string, error: unknown): void {
  finish(textOf(excerpt, error));
}

function textOf(excerpt: string, error: unknown): string {
  return `${excerpt}${render(error)}${advice(error)}`;
}

function finish(text: string): void {
  show(text);
  host.exit(1);
}

function show(text: string): void {
  host.write(2, `${text}\n\n${startInfo().engine}\n`);
}

/** Node shows more of what ends a program than console.log does. */
const uncaughtDepth = 5;

function render(error: unknown): string {
  const { inspect } = require('./inspect.ts') as typeof import('./inspect.ts');
  const options = { colors: startInfo().colors.stderr, customInspect: false, depth: uncaughtDepth };
  if ((typeof error === 'object' && error !== null) || typeof error === 'function') return inspect(error, options);
  // As node has it: a string is shown as it is, a symbol not at all.
  const value = typeof error === 'string' ? error : typeof error === 'symbol' ? '' : inspect(error);
  return `${value}\n(Use \`node --trace-uncaught ...\` to show where the exception was thrown)`;
}

function isError(value: unknown): value is object {
  return typeof value === 'object' && value !== null && (value instanceof Error || positions.has(value));
}

/** A script that lacks something of node's finds out at run time only where its scan could not see it, or was overruled. */
function advice(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const name = /^([\w$]+) is not defined$/.exec(message)?.[1];
  const lacks =
    name === undefined ? /\bprocess\.\w+(?:\.\w+)? is not a function|reading 'subtle'/.test(message) : host.inNode(name);
  return lacks ? '\n\nprisn: it ran in an isolate, which has no such thing; to run it in node: prisn run --runtime node' : '';
}

/** Where an error was made: the first of its call sites. */
function creationPosition(error: object): Position | undefined {
  void (error as { stack?: unknown }).stack; // has V8 call `format`, if nobody did yet
  return positions.get(error);
}

/**
 * Where an error was thrown, which V8 knows and isolated-vm does not tell: the `throw` before the place where it was made,
 * that place itself for an error of V8's own, and for a value that is no error the one `throw` of the program's file.
 */
function throwPosition(error: unknown): Position | undefined {
  const position = isError(error) ? creationPosition(error) : undefined;
  if (!position) return onlyPlace(/\bthrow\b/);
  const source = host.sourceLine(position.file, position.line) ?? '';
  const thrown = /\bthrow\s+$/.exec(source.slice(0, position.column - 1));
  return thrown ? { ...position, column: thrown.index + 1 } : position;
}

/** The place in the program's own file that a pattern fits, if it fits one only. */
export function onlyPlace(pattern: RegExp): Position | undefined {
  const file = startInfo().entry;
  let found: Position | undefined;
  for (let line = 1, text = host.sourceLine(file, line); text !== undefined; text = host.sourceLine(file, ++line)) {
    const match = pattern.exec(text);
    if (!match) continue;
    if (found || pattern.test(text.slice(match.index + match[0].length))) return undefined;
    found = { file, line, column: match.index + 1 };
  }
  return found;
}

/** `file:line`, the source line and a caret below the place, as node prints before the error itself. */
export function excerpt(position: Position | undefined): string {
  const source = position && host.sourceLine(position.file, position.line);
  if (!position || source === undefined) return '';
  const indent = source.slice(0, position.column - 1).replace(/[^\t]/g, ' ');
  return `${position.file}:${position.line}\n${source}\n${indent}^\n\n`;
}
