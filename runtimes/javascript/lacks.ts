/**
 * What an isolate lacks of node: the one table from which a program's runtime is chosen.
 *
 * A program that needs none of it runs in an isolate, every other one in node. `because` completes "uses X (…)", which
 * `prisn run -v` prints. What is neither here nor ECMAScript an isolate has to provide: a test compares this table with
 * the globals of the node that runs it.
 */

import { builtinModules } from 'node:module';

interface LackedNames {
  readonly names: readonly string[];
  readonly because: string;
}

/** Globals that are not there at all. Asking for their type counts as use: node would answer differently. */
const absent: readonly LackedNames[] = [
  { names: ['require', 'module', 'exports', '__filename', '__dirname'], because: 'CommonJS is not in isolates' },
  { names: ['arguments'], because: "the arguments of node's CommonJS wrapper" },
  { names: ['Buffer'], because: "node's own class" },
  { names: ['setImmediate', 'clearImmediate'], because: "a phase of node's event loop" },
  {
    names: [
      'ReadableStream',
      'ReadableStreamDefaultReader',
      'ReadableStreamBYOBReader',
      'ReadableStreamBYOBRequest',
      'ReadableByteStreamController',
      'ReadableStreamDefaultController',
      'WritableStream',
      'WritableStreamDefaultController',
      'WritableStreamDefaultWriter',
      'TransformStream',
      'TransformStreamDefaultController',
      'ByteLengthQueuingStrategy',
      'CountQueuingStrategy',
      'TextEncoderStream',
      'TextDecoderStream',
      'CompressionStream',
      'DecompressionStream',
    ],
    because: 'web streams are not in isolates',
  },
  {
    names: ['MessageChannel', 'MessagePort', 'MessageEvent', 'BroadcastChannel', 'Worker'],
    because: 'an isolate has no threads to talk to',
  },
  { names: ['WebSocket', 'CloseEvent', 'ErrorEvent', 'EventSource'], because: 'of the network, isolates have fetch' },
  {
    names: ['Navigator', 'navigator', 'Storage', 'localStorage', 'sessionStorage'],
    because: 'an isolate has no machine or disk',
  },
  { names: ['URLPattern'], because: 'not in isolates' },
  { names: ['CryptoKey', 'SubtleCrypto'], because: 'of crypto, isolates have random values' },
  {
    names: ['PerformanceObserver', 'PerformanceObserverEntryList', 'PerformanceResourceTiming'],
    because: 'of performance, isolates have the clock, marks and measures',
  },
];

interface PartlyProvided {
  /** A free identifier, or `import.meta`. */
  readonly object: string;
  /** Members that an isolate has; any other, and the object handed on as a value, counts as use. */
  readonly has?: readonly string[];
  /** Members that an isolate lacks; everything else is there. */
  readonly lacks?: readonly string[];
  readonly because: string;
}

const partly: readonly PartlyProvided[] = [
  {
    object: 'process',
    has: ['env', 'argv', 'exit', 'exitCode', 'cwd', 'stdout.write', 'stderr.write'],
    because: 'an isolate is not a process',
  },
  {
    object: 'performance',
    has: [
      'now',
      'timeOrigin',
      'toJSON',
      'mark',
      'measure',
      'clearMarks',
      'clearMeasures',
      'getEntries',
      'getEntriesByName',
      'getEntriesByType',
    ],
    because: 'of performance, isolates have the clock, marks and measures',
  },
  { object: 'crypto', has: ['getRandomValues', 'randomUUID'], because: 'of crypto, isolates have random values' },
  { object: 'import.meta', has: ['url', 'filename', 'dirname', 'main'], because: 'not in isolates' },
  { object: 'URL', lacks: ['createObjectURL', 'revokeObjectURL'], because: 'an isolate has no store of blobs' },
  { object: 'WebAssembly', lacks: ['compileStreaming', 'instantiateStreaming'], because: 'web streams are not in isolates' },
  { object: 'Atomics', lacks: ['waitAsync'], because: 'no other thread wakes an isolate' },
  { object: 'console', lacks: ['Console'], because: "a class of node's" },
];

/** Names of the global object: their members count as globals, and handing them on could hand on anything. */
export const globalObjects: readonly string[] = ['globalThis', 'global'];

/** Node makes its built-in modules globals of `node -e` and of a program on stdin. */
const inlineNames = builtinModules.filter((name) => /^\w+$/.test(name) && !['console', 'process', 'module'].includes(name));

const absentByName = new Map(absent.flatMap((row) => row.names.map((name) => [name, row.because] as const)));
const partlyByName = new Map(partly.map((row) => [row.object, row]));

/** Every free name that a scan has to look at; of inline code there are more. */
export const watchedNames = onceEach(
  (isInline): ReadonlySet<string> =>
    new Set([...absentByName.keys(), ...partlyByName.keys(), ...globalObjects, ...(isInline ? inlineNames : [])]),
);

/** Stands in a path for a member that cannot be known before it runs, such as `process[name]`. */
export const unknownMember = '[…]';

/**
 * Judges one use of a free name.
 * @param path a watched name and the members taken of it, such as `['process', 'stdout', 'write']`
 * @param tested whether the last object is only tested for being there (`typeof process`), so that its value goes nowhere
 * @returns what is used that an isolate lacks, in words, or undefined when it has all of it
 */
export function lackOf(path: readonly string[], tested: boolean): string | undefined {
  const [name = '', ...members] = path;
  const because = absentByName.get(name);
  if (because !== undefined) return `uses ${name} (${because})`;
  if (globalObjects.includes(name)) return tested ? undefined : `hands on ${path.join('.')}, which could be used for anything`;
  const row = partlyByName.get(name);
  if (!row) return `uses ${name} (a module that node hands to inline code)`;
  if (members.length === 0 && tested) return undefined;
  if (row.has?.some((allowed) => isPrefix(allowed.split('.'), members))) return undefined;
  if (row.lacks && !row.lacks.includes(members[0] ?? '')) return undefined;
  const used = [name, ...members.slice(0, row.has?.some((allowed) => allowed.startsWith(`${members[0]}.`)) ? 2 : 1)];
  return members.length === 0 ? `hands on ${name} (${row.because})` : `uses ${used.join('.')} (${row.because})`;
}

function isPrefix(prefix: readonly string[], list: readonly string[]): boolean {
  return prefix.every((item, index) => item === list[index]);
}

/** Of an identifier. Not `\b`: compiling one for each word costs a millisecond. */
const part = '[\\w$]';

/** The keywords of modules. */
export const moduleWords = new RegExp(`(?<!${part})(?:import|export)(?!${part})`);

/**
 * One regular expression that finds every word of the table, and the names that prisn keeps for itself. A source without
 * a match, and without the words of modules, has nothing that an isolate lacks, whatever else it says.
 */
export const lackedWords = onceEach((isInline): RegExp => {
  const members = partly.flatMap((row) => row.lacks ?? []);
  const objects = partly.flatMap(({ object, has }) =>
    has && object !== 'import.meta' ? [`${object}(?!\\.(?:${has.join('|').replaceAll('.', '\\.')})(?!${part}))`] : [],
  );
  const names = [...globalObjects, ...absentByName.keys(), ...(isInline ? inlineNames : [])];
  return new RegExp(`(?<!${part})(?:${[...names, ...members, ...objects].join('|')})(?!${part})|\\$impt\\$|\\$importMeta`);
});

/** Makes the one for files and the one for inline code when it is first asked for: a program may have many modules. */
function onceEach<T extends object>(make: (isInline: boolean) => T): (isInline: boolean) => T {
  const made = new Map<boolean, T>();
  return (isInline) => {
    const value = made.get(isInline) ?? make(isInline);
    made.set(isInline, value);
    return value;
  };
}
