/**
 * An object that stands for another one which may be replaced: every property is looked up in the present one at the moment
 * of its use. The API holds such stand-ins for what stands on the data directory, so that a restore can put new ones in
 * their place while connections stay open.
 * @param present throws while there is none
 */
export function standIn<T extends object>(present: () => T): T {
  return new Proxy({} as T, {
    get: (_, property) => {
      const target = present();
      const value: unknown = Reflect.get(target, property);
      // Private fields are known to their own object alone.
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
