/**
 * What V8 would call back after the end of its program, when another one has the isolate: the host is told when a program
 * first uses it, and lets that isolate serve no other. WebAssembly (`webassembly.ts`) belongs to these by its memory.
 */
import { host } from './host.ts';

export function installOutliving(global: typeof globalThis): void {
  const { construct } = Reflect;
  const Registry = global.FinalizationRegistry;
  const told = new Proxy(Registry, {
    construct(target, args, newTarget) {
      host.outlives();
      return construct(target, args, newTarget) as object;
    },
  });
  Object.defineProperty(Registry.prototype, 'constructor', { value: told, writable: true, configurable: true });
  global.FinalizationRegistry = told;

  const { waitAsync } = Atomics;
  const methods = {
    waitAsync(...args: Parameters<typeof waitAsync>) {
      host.outlives();
      return waitAsync(...args);
    },
  };
  Object.defineProperty(methods.waitAsync, 'length', { value: waitAsync.length, configurable: true });
  Object.defineProperty(Atomics, 'waitAsync', { value: methods.waitAsync, writable: true, configurable: true });
}
