/**
 * Builds `dist`: every source translated by tsc, the guest's prelude with V8's code cache, the start path of
 * the CLI and its commands as a CommonJS file each (loading a graph of ES modules costs 6 and 11 ms more), and the launcher.
 *
 * Plain JavaScript: npm starts it on whatever Node is there, before anything is built.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleCli, keepCode } from './bundles.js';
import { buildLauncher } from './launcher.js';

if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(`prisn: needs Node 24 or newer here, and this is ${process.version}; install one and type npm install again`);
  process.exit(1);
}
const { cpSync, existsSync, globSync, mkdirSync, renameSync, rmSync, writeFileSync } = fs;

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const staging = join(root, `dist.${process.pid}`);

try {
  mkdirSync(staging);
  translate();
  copyAssets();
  packPrelude();
  await bundleCli(root, staging);
  writeFileSync(join(staging, 'isolated-vm.cjs'), isolatedVm());
  const lacking = await buildLauncher(root, staging);
  if (lacking !== undefined) console.log(`prisn: runs start by Node alone: ${lacking}`);
  // A prisn that runs may write into its compile cache at this moment, so the old one goes by its name first.
  if (existsSync(dist)) renameSync(dist, `${staging}.old`);
  renameSync(staging, dist);
  rmSync(`${staging}.old`, { recursive: true, force: true, maxRetries: 5 });
  await keepCode(root, dist);
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

function packPrelude() {
  const [entry, file] = ['prelude-pack.js', 'prelude.guest'].map((name) => join(staging, 'sandbox/isolate', name));
  const args = ['--no-node-snapshot', entry, join(root, 'sandbox/isolate/guest'), file];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the prelude cannot be built:\n${stderr}`);
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
