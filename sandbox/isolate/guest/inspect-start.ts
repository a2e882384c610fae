/**
 * What inspection must know from before the program: which globals are the language's own, and what each proxy was made of.
 *
 * JavaScript cannot tell a proxy from an object, node's formatter must (it shows the target and never fires a trap), so
 * the guest's `Proxy` notes what it makes. It is itself a proxy of V8's constructor: name, length, the missing prototype
 * and every error stay V8's.
 */
import { ownNames } from './globals.ts';

let names: readonly string[];

/** Before the program adds any; V8 adds some of its own to a context of a snapshot late. */
export function noteGlobals(): void {
  names = Object.getOwnPropertyNames(globalThis);
}

/** The names that V8 itself puts on the global object. */
export function builtinNames(): string[] {
  const own = ownNames();
  return names.filter((name) => !own.has(name));
}

/** Target and handler, or null after revocation. */
export type ProxyDetails = readonly [target: object, handler: object] | null;

const details = new WeakMap<object, ProxyDetails>();

/** What `new Proxy` was given, null for a revoked proxy, undefined for any other value. */
export function proxyDetails(value: object): ProxyDetails | undefined {
  return details.get(value);
}

/** Puts the constructor in the place of V8's: the last step before the program, proxies of our own are not shown. */
export function installProxy(global: typeof globalThis): void {
  const native = global.Proxy;
  const { revocable } = native;
  const statics = {
    revocable(target: object, handler: ProxyHandler<object>) {
      const { proxy, revoke } = revocable(target, handler);
      details.set(proxy, [target, handler]);
      const anonymous = [
        () => {
          details.set(proxy, null);
          revoke();
        },
      ] as const;
      return { proxy, revoke: anonymous[0] };
    },
  };
  Object.defineProperty(native, 'revocable', { value: statics.revocable, enumerable: false, writable: true, configurable: true });
  global.Proxy = new native(native, {
    construct(_target, [target, handler]: [object, ProxyHandler<object>]) {
      const proxy = new native(target, handler);
      details.set(proxy, [target, handler]);
      return proxy;
    },
  });
}
