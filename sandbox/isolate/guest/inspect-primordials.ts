/**
 * The `primordials` that node's internal sources take their built-ins from, derived from the name when it is asked for:
 * `ArrayPrototypePush(list, value)` is `Array.prototype.push` with the receiver in front. (Node's own module of that name
 * copies all 2,000 of them, which takes 3 ms; the formatter uses 130.)
 */
import { builtinNames } from './inspect-start.ts';

type Func = (this: unknown, ...args: unknown[]) => unknown;

const { apply, bind, call } = Function.prototype;
/** A function that takes the receiver of `method` as its first argument. */
const uncurryThis = bind.bind(call) as unknown as (method: Func) => Func;
/** A function that takes the receiver and a list of the arguments; with `receiver` the list only. */
const applyBind = bind.bind(apply) as unknown as (method: Func, receiver?: unknown) => Func;

const names = builtinNames();

const given: Readonly<Record<string, unknown>> = {
  uncurryThis,
  applyBind,
  SafeMap: Map,
  SafeSet: Set,
  SafeStringIterator: undefined, // for a node without ICU
  TypedArray: Object.getPrototypeOf(Uint8Array),
  // Node's formatter learns from it which classes are the language's own.
  globalThis: Object.fromEntries(names.map((name) => [name, undefined])),
};

/** Longest first: `ArrayBufferIsView` is of `ArrayBuffer`. */
const owners = [...names, 'TypedArray'].filter((name) => /^[A-Z]/.test(name)).toSorted((a, b) => b.length - a.length);

export const primordials: object = new Proxy({}, { get: (_target, name) => derive(String(name)) });

function derive(name: string): unknown {
  if (name in given) return given[name];
  const ownerName = owners.find((owner) => name.startsWith(owner)) ?? '';
  const owner = given[ownerName] ?? (globalThis as Record<string, unknown>)[ownerName];
  const rest = name.slice(ownerName.length);
  if (rest === '') return owner;
  const { prototype } = owner as { prototype?: object };
  if (rest === 'Prototype') return prototype;
  const value = rest.startsWith('Prototype')
    ? ofPrototype(prototype as object, rest.slice('Prototype'.length))
    : ofNamespace(owner as object, rest);
  if (value === undefined) throw new Error(`inspect: node's formatter asks for the primordial ${name}, which is not known here`);
  return value;
}

function ofNamespace(owner: object, rest: string): unknown {
  const value = Reflect.get(owner, keyOf(rest));
  if (value !== undefined || !rest.endsWith('Apply')) return value;
  return applyBind(Reflect.get(owner, keyOf(rest.slice(0, -'Apply'.length))) as Func, owner);
}

function ofPrototype(prototype: object, rest: string): Func | undefined {
  const method = methodOf(prototype, rest);
  if (method) return uncurryThis(method);
  if (rest.startsWith('Get'))
    return uncurryThis(Reflect.getOwnPropertyDescriptor(prototype, keyOf(rest.slice('Get'.length)))?.get as Func);
  return rest.endsWith('Apply') ? applyBind(methodOf(prototype, rest.slice(0, -'Apply'.length)) as Func) : undefined;
}

function methodOf(prototype: object, rest: string): Func | undefined {
  return Reflect.getOwnPropertyDescriptor(prototype, keyOf(rest))?.value as Func | undefined;
}

/** `ToString` → `toString`, `SymbolReplace` → `Symbol.replace`. */
function keyOf(name: string): PropertyKey {
  return name.startsWith('Symbol') ? (Reflect.get(Symbol, lowered(name.slice('Symbol'.length))) as symbol) : lowered(name);
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
