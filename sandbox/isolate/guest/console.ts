/**
 * `console`, byte for byte as node prints (https://nodejs.org/api/console.html, https://console.spec.whatwg.org).
 *
 * Texts and numbers are the common case and cost one call of the host: the formatter is evaluated when something else is
 * printed. No method uses `this`, so `const { log } = console` works; methods that print by another one find it on the
 * object, so a program that replaces `console.log` also gets what `count` and `table` print, as under node.
 */
import { host } from './host.ts';
import { startInfo, writeTo } from './program.ts';

type Stream = 1 | 2;

const groupWidth = 2;
let indentation = '';
const counts = new Map<string, number>();
/** Start of each timer by its label, ms of the run's clock. */
const timers = new Map<string, number>();
let warned = false;

const formatter = () => require('./inspect.ts') as typeof import('./inspect.ts');

const methods = {
  log(...args: unknown[]) {
    print(1, args);
  },
  info(...args: unknown[]) {
    print(1, args);
  },
  debug(...args: unknown[]) {
    print(1, args);
  },
  warn(...args: unknown[]) {
    print(2, args);
  },
  error(...args: unknown[]) {
    print(2, args);
  },
  dir(value: unknown, options?: object) {
    write(1, formatter().inspect(value, { customInspect: false, ...inspectOptions(1), ...options }));
  },
  time(label: unknown = 'default') {
    const name = `${label}`;
    if (timers.has(name)) warn(`Label '${name}' already exists for console.time()`);
    else timers.set(name, host.now());
  },
  timeEnd(label: unknown = 'default') {
    const name = `${label}`;
    logTimer(name, 'timeEnd', []);
    timers.delete(name);
  },
  timeLog(label: unknown = 'default', ...data: unknown[]) {
    logTimer(`${label}`, 'timeLog', data);
  },
  trace(...args: unknown[]) {
    const trace = { name: 'Trace', message: textOf(2, args), stack: '' };
    Error.captureStackTrace(trace, methods.trace);
    self.error(trace.stack);
  },
  assert(condition: unknown, ...args: unknown[]) {
    if (condition) return;
    const [first, ...rest] = args;
    if (typeof first === 'string') self.warn(`Assertion failed: ${first}`, ...rest);
    else self.warn('Assertion failed', ...args);
  },
  clear() {
    if (startInfo().colors.stdout) host.write(1, '\x1b[1;1H\x1b[0J');
  },
  count(label: unknown = 'default') {
    const name = `${label}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    self.log(`${name}: ${count}`);
  },
  countReset(label: unknown = 'default') {
    if (!counts.delete(`${label}`)) warn(`Count for '${label}' does not exist`);
  },
  group(...data: unknown[]) {
    if (data.length > 0) self.log(...data);
    indentation += ' '.repeat(groupWidth);
  },
  groupEnd() {
    indentation = indentation.slice(groupWidth);
  },
  table(data: unknown, columns?: readonly string[]) {
    const { tableOf } = require('./inspect-table.ts') as typeof import('./inspect-table.ts');
    self.log(tableOf(data, columns, inspectOptions(1)));
  },
  dirxml(...args: unknown[]) {
    print(1, args);
  },
  groupCollapsed(...data: unknown[]) {
    methods.group(...data);
  },
  profile() {},
  profileEnd() {},
  timeStamp() {},
};

/** What the program has as `console`. */
const self: typeof methods = Object.assign(Object.create({}), methods);
Object.defineProperty(self, Symbol.toStringTag, { value: 'console', configurable: true });

export { self as console };

function print(stream: Stream, args: readonly unknown[]): void {
  write(stream, textOf(stream, args));
}

function write(stream: Stream, text: string): void {
  writeTo(stream, indentation === '' ? `${text}\n` : `${indentation}${text.replaceAll('\n', `\n${indentation}`)}\n`);
}

function inspectOptions(stream: Stream): { readonly colors?: true } {
  const { colors } = startInfo();
  return (stream === 1 ? colors.stdout : colors.stderr) ? { colors: true } : {};
}

function textOf(stream: Stream, args: readonly unknown[]): string {
  return plainText(stream, args) ?? formatter().formatWithOptions(inspectOptions(stream), ...args);
}

/** The line for arguments that need no formatter, else undefined. */
function plainText(stream: Stream, args: readonly unknown[]): string | undefined {
  const [first] = args;
  if (args.length > 1 && typeof first === 'string' && first.includes('%')) return undefined;
  let line = '';
  for (const [index, value] of args.entries()) {
    const text = typeof value === 'string' ? value : primitiveText(stream, value);
    if (text === undefined) return undefined;
    line += index === 0 ? text : ` ${text}`;
  }
  return line;
}

function primitiveText(stream: Stream, value: unknown): string | undefined {
  if (inspectOptions(stream).colors) return undefined;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : `${value}`;
  return typeof value === 'boolean' || value === undefined || value === null ? `${value}` : undefined;
}

function logTimer(label: string, method: string, data: readonly unknown[]): void {
  const startedMs = timers.get(label);
  if (startedMs === undefined) warn(`No such label '${label}' for console.${method}()`);
  else self.log('%s: %s', label, duration(host.now() - startedMs), ...data);
}

/** Milliseconds in node's words: `1.5ms`, `2.250s`, `1:02.003 (m:ss.mmm)`, `1:00:02.003 (h:mm:ss.mmm)`. */
function duration(ms: number): string {
  if (ms < 1000) return `${Number(ms.toFixed(3))}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(3)}s`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = ((ms % 60_000) / 1000).toFixed(3).padStart(6, '0');
  if (minutes < 60) return `${minutes}:${seconds} (m:ss.mmm)`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${seconds} (h:mm:ss.mmm)`;
}

/** A warning of the process's, in node's form; after the statement that caused it, as there. */
function warn(message: string): void {
  const hint = warned ? '' : '(Use `node --trace-warnings ...` to show where the warning was created)\n';
  warned = true;
  void Promise.resolve().then(() => host.write(2, `(node:1) Warning: ${message}\n${hint}`));
}
