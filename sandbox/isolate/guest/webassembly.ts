/**
 * `WebAssembly.compile` and `WebAssembly.instantiate` by their synchronous twins: V8 finishes the asynchronous ones in a
 * task of its own, which no host hears of, so a program that waits for nothing else would be taken for ended.
 * Its memories outlive the program until V8 collects them, and V8's limit of the heap does not count them.
 * https://webassembly.github.io/spec/js-api/
 */
import { host } from './host.ts';

interface Namespace {
  Module: new (bytes: unknown) => object;
  Instance: new (module: object, imports?: unknown) => object;
  compile: unknown;
  instantiate: unknown;
}

/** Changes the namespace when the program first reaches for it. */
export function installWebAssembly(global: typeof globalThis): void {
  const descriptor = Object.getOwnPropertyDescriptor(global, 'WebAssembly');
  if (!descriptor) return;
  const settle = (value: unknown): void => {
    Object.defineProperty(global, 'WebAssembly', { ...descriptor, value });
  };
  Object.defineProperty(global, 'WebAssembly', {
    get: () => {
      host.outlives();
      patch(descriptor.value as Namespace);
      settle(descriptor.value);
      return descriptor.value;
    },
    set: settle,
    enumerable: false,
    configurable: true,
  });
}

function patch(namespace: Namespace): void {
  const { Module, Instance } = namespace;
  const methods = {
    async compile(bytes: unknown) {
      return new Module(bytes);
    },
    async instantiate(source: unknown, imports?: unknown) {
      if (source instanceof Module) return new Instance(source, imports);
      const module = new Module(source);
      return { module, instance: new Instance(module, imports) };
    },
  };
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(namespace, name, { value, writable: true, enumerable: true, configurable: true });
}
