/** Node's internal modules as `node-sources.ts` bundles them. */
declare module 'node-source:*' {
  const load: (
    exports: object,
    require: (id: string) => unknown,
    module: { exports: unknown },
    process: object,
    internalBinding: (name: string) => object,
    primordials: object,
  ) => void;
  export default load;
}
