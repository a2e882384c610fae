/** Node's internal modules as `node-sources.ts` has them. */
declare module 'node-source:*' {
  export function load(
    exports: object,
    require: (id: string) => unknown,
    module: { exports: unknown },
    process: object,
    internalBinding: (name: string) => object,
    primordials: object,
  ): void;
}
