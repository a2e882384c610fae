/**
 * isolated-vm's two faces behind one: each call either blocks this thread or runs on a thread of isolated-vm's while
 * this one goes on. Awaiting a value that is there costs a microtask.
 */
import type ivm from 'isolated-vm';

type Maybe<T> = T | Promise<T>;

/** A function of the guest's. Its arguments are what isolated-vm can transfer; its types cannot say that in general. */
export type GuestFunction = ivm.Reference<(...args: ivm.Transferable[]) => unknown>;

export interface Engine {
  /** Compiles a script and runs it. */
  run(context: ivm.Context, code: string, info: ivm.ScriptInfo): Maybe<unknown>;
  compileModule(isolate: ivm.Isolate, code: string, info: ivm.ScriptOrigin): Maybe<ivm.Module>;
  apply(entry: GuestFunction, args: ivm.Transferable[]): Maybe<unknown>;
  evaluate(module: ivm.Module): Maybe<unknown>;
}

/** Characters that V8 compiles in less time (0.1 ms) than it takes to have another thread do it, twice over at most. */
const shortCode = 2 ** 14;

export const blockingEngine: Engine = {
  run: (context, code, info) => context.evalSync(code, info),
  compileModule: (isolate, code, info) => isolate.compileModuleSync(code, info),
  apply: (entry, args) => entry.applySync(undefined, args),
  evaluate: (module) => module.evaluateSync(),
};

export const threadedEngine: Engine = {
  run: (context, code, info) => context.eval(code, info),
  compileModule: (isolate, code, info) =>
    code.length < shortCode ? isolate.compileModuleSync(code, info) : isolate.compileModule(code, info),
  apply: (entry, args) => entry.apply(undefined, args),
  evaluate: (module) => module.evaluate(),
};

/** What was asked for as a reference, and is a function. */
export function entryOf(reference: unknown): GuestFunction {
  return reference as GuestFunction;
}
