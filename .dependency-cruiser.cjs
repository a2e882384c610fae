/** The layers of ARCHITECTURE.md, and the doors for dangerous packages. `npm run check` refuses what crosses them. */
const layer = (name, path, allowed) => ({
  name: `layer-${name}`,
  severity: 'error',
  from: { path: `^${path}` },
  to: { path: '^(src|runtimes|sandbox)/', pathNot: [`^${path}`, ...allowed.map((folder) => `^${folder}`)] },
});

/** Only `from` may import `modules`. */
const door = (name, modules, from) => ({
  name: `door-${name}`,
  severity: 'error',
  from: { path: '^(src|runtimes|sandbox)/', pathNot: from.map((folder) => `^${folder}`) },
  to: { path: modules },
});

/** What the engine and the API know by their types alone; the daemon constructs them. */
const adapters = ['src/store/', 'src/logs/', 'src/bundles/', 'src/secrets/', 'src/metrics/', 'sandbox/', 'runtimes/'];

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^node-source:' } },
    layer('base', 'src/base/', []),
    layer('model', 'src/model/', ['src/base/']),
    layer('runtimes', 'runtimes/', ['src/base/', 'src/model/']),
    layer('sandbox', 'sandbox/', ['src/base/', 'src/model/']),
    layer('store', 'src/store/', ['src/base/', 'src/model/']),
    layer('bundles', 'src/bundles/', ['src/base/', 'src/model/']),
    layer('logs', 'src/logs/', ['src/base/', 'src/model/']),
    layer('secrets', 'src/secrets/', ['src/base/', 'src/model/']),
    layer('metrics', 'src/metrics/', ['src/base/', 'src/model/']),
    layer('engine', 'src/engine/', ['src/base/', 'src/model/', ...adapters]),
    {
      name: 'engine-takes-only-types-of-adapters',
      severity: 'error',
      from: { path: '^src/engine/' },
      to: { path: adapters.map((folder) => `^${folder}`), dependencyTypesNot: ['type-only'] },
    },
    layer('contract', 'src/api/contract/', ['src/base/', 'src/model/']),
    layer('api', 'src/api/', ['src/base/', 'src/model/', 'src/engine/', ...adapters]),
    {
      name: 'api-takes-only-types-of-adapters',
      severity: 'error',
      from: { path: '^src/api/' },
      to: { path: adapters.map((folder) => `^${folder}`), dependencyTypesNot: ['type-only'] },
    },
    layer('client', 'src/client/', ['src/base/', 'src/model/', 'src/api/contract/']),
    {
      name: 'client-takes-only-types-of-schemas',
      severity: 'error',
      from: { path: '^src/(client|cli)/' },
      to: { path: '^src/api/contract/schemas\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    layer('workload', 'src/workload.ts', ['src/base/', 'src/model/', 'src/engine/ports.ts', 'runtimes/', 'sandbox/']),
    layer('foreground', 'src/foreground.ts', ['src/base/', 'src/model/', 'runtimes/', 'sandbox/']),
    layer('launch', 'src/(launch|stub-node).ts', ['src/base/', 'src/model/', 'runtimes/', 'sandbox/process/launch.ts']),
    layer('daemon', 'src/daemon', ['src/(?!cli/|foreground)', 'runtimes/', 'sandbox/']),
    layer('load', 'src/load/', ['src/base/']),
    layer('cli', 'src/cli/', [
      'src/base/',
      'src/load/',
      'src/model/',
      'src/foreground.ts',
      'src/client/',
      'src/api/contract/',
      'src/daemon',
      'src/bundles/pack.ts',
      'src/store/',
      'runtimes/',
      'sandbox/process/limits.ts',
      'sandbox/process/tier.ts',
      'sandbox/isolate/probe.ts',
    ]),
    {
      name: 'guest-knows-no-node',
      severity: 'error',
      from: { path: '^sandbox/isolate/guest/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'guest-stays-in-the-guest',
      severity: 'error',
      from: { path: '^sandbox/isolate/guest/' },
      to: { path: '^(src|runtimes|sandbox)/', pathNot: '^sandbox/isolate/guest/' },
    },
    {
      name: 'host-takes-only-types-of-the-guest',
      severity: 'error',
      from: { path: '^sandbox/', pathNot: '^sandbox/isolate/guest/' },
      to: { path: '^sandbox/isolate/guest/', pathNot: '^sandbox/isolate/guest/host\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'sandboxes-stand-apart',
      severity: 'error',
      from: { path: '^sandbox/(isolate|process)/' },
      to: { path: '^sandbox/(isolate|process)/', pathNot: '^sandbox/$1/' },
    },
    {
      name: 'model-is-pure',
      severity: 'error',
      from: { path: '^src/model/' },
      to: { dependencyTypes: ['core'] },
    },
    door('isolated-vm', 'node_modules/isolated-vm', ['sandbox/isolate/']),
    door('piscina', 'node_modules/piscina', ['sandbox/isolate/']),
    door('esbuild', 'node_modules/esbuild', ['runtimes/javascript/', 'sandbox/isolate/prelude-build.ts']),
    door('threads', '^(node:)?worker_threads$', ['sandbox/isolate/']),
    door('level', 'node_modules/(level|classic-level)/', ['src/store/']),
    door('fastify', 'node_modules/(fastify|@fastify)/', ['src/api/']),
    door('prom-client', 'node_modules/prom-client/', ['src/metrics/']),
    door('hdr-histogram-js', 'node_modules/hdr-histogram-js/', ['src/load/']),
    door('processes', '^(node:)?child_process$', [
      'sandbox/',
      'runtimes/',
      'src/store/lock.ts',
      'src/cli/server-process.ts',
      'src/load/',
    ]),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'test/fixtures' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
