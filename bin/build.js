/**
 * Builds `dist`: every source translated by tsc, the guest's prelude as one script with V8's code cache, the start path of
 * the CLI and its commands as a CommonJS file each (loading a graph of ES modules costs 6 and 11 ms more), and the launcher.
 *
 * Plain JavaScript: npm starts it on whatever Node is there, before anything is built.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildLauncher } from './launcher.js';

if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(`prisn: needs Node 24 or newer here, and this is ${process.version}; install one and type npm install again`);
  process.exit(1);
}
const { chmodSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } = fs;
const { default: ivm } = await import('isolated-vm');

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const staging = join(root, `dist.${process.pid}`);

/**
 * Bundles of the CLI by their entries: the start, and whatever it loads for one command. Each is small, since V8 takes time
 * for all of a file: 3 ms for one with every command. What else an entry loads it loads by its path in `dist`.
 */
const bundles = { 'src/cli/prisn.ts': 'prisn.cjs' };
for (const name of ['run', 'main', ...commandFiles()]) bundles[`src/cli/${name}.ts`] = `cli/${name}.cjs`;
const apart = ['src/cli/run-detached.ts', 'src/cli/auto-start.ts', 'src/daemon/daemon.ts'];

/** The files that `src/cli/main.ts` loads when their command is typed. */
function commandFiles() {
  const text = readFileSync(join(root, 'src/cli/main.ts'), 'utf8');
  return new Set(Array.from(text.matchAll(/import\('\.\/([\w-]+)\.ts'\)/g), ([, name]) => name));
}

const compileCache = "require('node:module').enableCompileCache(require('node:path').join(__dirname, 'compile-cache'));";

try {
  mkdirSync(staging);
  translate();
  copyAssets();
  await bundlePrelude();
  for (const [entry, name] of Object.entries(bundles)) await bundle(entry, name);
  writeStart();
  const lacking = await buildLauncher(root, staging);
  if (lacking !== undefined) console.log(`prisn: runs start by Node alone: ${lacking}`);
  // A prisn that runs may write into its compile cache at this moment, so the old one goes by its name first.
  if (existsSync(dist)) renameSync(dist, `${staging}.old`);
  renameSync(staging, dist);
  rmSync(`${staging}.old`, { recursive: true, force: true, maxRetries: 5 });
  warmCompileCache();
} finally {
  rmSync(staging, { recursive: true, force: true });
}

function translate() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [
    '--noEmit',
    'false',
    '--outDir',
    staging,
    '--rootDir',
    root,
    '--sourceMap',
    'false',
    '-p',
    join(root, 'tsconfig.build.json'),
  ];
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...args], { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`the sources do not compile:\n${stdout}`);
  }
}

function copyAssets() {
  for (const file of globSync('{src,runtimes,sandbox}/**/*.{py,sh}', { cwd: root })) {
    mkdirSync(dirname(join(staging, file)), { recursive: true });
    cpSync(join(root, file), join(staging, file));
  }
}

async function bundlePrelude() {
  const { buildPrelude } = await import(join(staging, 'sandbox/isolate/prelude.js'));
  const code = await buildPrelude(join(root, 'sandbox/isolate/guest/prelude.ts'));
  writeFileSync(join(staging, 'sandbox/isolate/prelude.guest.js'), code);
  const script = new ivm.Isolate().compileScriptSync(code, { filename: 'prisn:prelude', produceCachedData: true });
  writeFileSync(join(staging, 'sandbox/isolate/prelude.guest.cache'), new Uint8Array(script.cachedData.copy()));
}

async function bundle(entry, name) {
  await build({
    entryPoints: [join(root, entry)],
    outfile: join(staging, name),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    // As `require`: through `import` node would read all of a CommonJS file for the names of its exports.
    supported: { 'dynamic-import': false },
    ...(name === 'prisn.cjs' && { banner: { js: compileCache } }),
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: 'warning',
    plugins: [{ name: 'dist-paths', setup: (build) => distPaths(build, dirname(name)) }],
  });
}

function writeStart() {
  writeFileSync(join(staging, 'isolated-vm.cjs'), isolatedVm());
}

/**
 * isolated-vm's binary by its path: looking for it in the package's folders costs 2 ms a start. Where that path does not
 * lead to it (another ABI than this build's, another layout of node_modules) the package finds it.
 */
function isolatedVm() {
  const entry = createRequire(import.meta.url).resolve('isolated-vm');
  const binary = createRequire(entry)('node-gyp-build').resolve(dirname(entry));
  const path = JSON.stringify(relative(dist, binary));
  return `let library;
if (process.versions.modules === '${process.versions.modules}') {
  try {
    library = require(${path}).ivm;
  } catch {}
}
module.exports = library ?? require('isolated-vm');
`;
}

/** V8's code for the bundles comes from a cache beside them (2 ms less a start), which the first runs fill. */
function warmCompileCache() {
  for (const words of [['run', join(root, 'examples/hello.js')], ['--help']]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(dist, 'prisn.cjs'), ...words], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`the build does not run: ${stderr}`);
    if (words[0] === '--help') writeFileSync(join(dist, 'src/cli/help.txt'), stdout);
  }
  // Node writes it for its own user only; it is for everybody who may run prisn.
  for (const file of globSync('compile-cache/**', { cwd: dist, withFileTypes: true }))
    chmodSync(join(file.parentPath, file.name), file.isDirectory() ? 0o755 : 0o644);
}

/** Keeps the paths of `dist` true inside the bundle: each file's own URL, and what is loaded apart. */
function distPaths({ onLoad, onResolve }, folder) {
  const inDist = (path) => relative(root, path).replace(/\.ts$/, '.js');
  const fromHere = (path) => `./${relative(folder, path)}`;
  onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
    if (path === 'isolated-vm') return { path: fromHere('isolated-vm.cjs'), external: true };
    return path === 'commander' || kind === 'entry-point' ? undefined : { path, external: true };
  });
  onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
    const file = join(resolveDir, path);
    const name = relative(root, file);
    if (bundles[name]) return { path: fromHere(bundles[name]), external: true };
    return apart.includes(name) ? { path: fromHere(inDist(file)), external: true } : undefined;
  });
  onLoad({ filter: /\.ts$/ }, ({ path }) => {
    const url = `require('node:url').pathToFileURL(require('node:path').join(__dirname, ${JSON.stringify(relative(folder, inDist(path)))})).href`;
    return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url), loader: 'ts' };
  });
}
