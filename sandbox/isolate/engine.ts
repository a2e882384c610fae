/**
 * isolated-vm's two faces behind one: each call either blocks this thread or runs on a thread of isolated-vm's while
 * this one goes on. Awaiting a value that is there costs a microtask.
 */
import type ivm from 'isolated-vm';

type Maybe<T> = T | Promise<T>;

/** A function of the guest's. Its arguments are what isolated-vm can transfer; its types cannot say that in general. */
export type GuestFunction = ivm.Reference<(...args: ivm.Transferable[]) => unknown>;

export interface Engine {
  compileScript(isolate: ivm.Isolate, code: string, info: ivm.ScriptInfo): Maybe<ivm.Script>;
  compileModule(isolate: ivm.Isolate, code: string, info: ivm.ScriptOrigin): Maybe<ivm.Module>;
  /** @returns a reference to the script's value, a function */
  run(script: ivm.Script, context: ivm.Context): Maybe<GuestFunction>;
  apply(entry: GuestFunction, args: ivm.Transferable[]): Maybe<unknown>;
  instantiate(
    module: ivm.Module,
    context: ivm.Context,
    resolve: (specifier: string, referrer: ivm.Module) => ivm.Module,
  ): Maybe<void>;
  evaluate(module: ivm.Module): Maybe<unknown>;
}

export const blockingEngine: Engine = {
  compileScript: (isolate, code, info) => isolate.compileScriptSync(code, info),
  compileModule: (isolate, code, info) => isolate.compileModuleSync(code, info),
  run: (script, context) => script.runSync(context, { reference: true }) as GuestFunction,
  apply: (entry, args) => entry.applySync(undefined, args),
  instantiate: (module, context, resolve) => module.instantiateSync(context, resolve),
  evaluate: (module) => module.evaluateSync(),
};

export const threadedEngine: Engine = {
  compileScript: (isolate, code, info) => isolate.compileScript(code, info),
  compileModule: (isolate, code, info) => isolate.compileModule(code, info),
  run: (script, context) => script.run(context, { reference: true }) as Promise<GuestFunction>,
  apply: (entry, args) => entry.apply(undefined, args),
  instantiate: (module, context, resolve) => module.instantiate(context, resolve),
  evaluate: (module) => module.evaluate(),
};
