/**
 * The CLI as CommonJS files, since loading a graph of ES modules costs 6 to 11 ms more: what `bin/prisn` starts
 * (`src/cli/start.ts`), and a whole CLI for each word that is typed often, less the other commands. The word `main` has all.
 *
 * Each has V8's code beside it for what it runs with the command lines below: the server that they ask is a stand-in.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Loaded by their paths in `dist`: too large, or processes of their own. */
const apart = ['src/cli/run-detached.ts', 'src/cli/auto-start.ts', 'src/daemon/daemon.ts'];

/** Words that have a bundle, and the lines whose code it keeps. */
function wordsOf(root) {
  const hello = join(root, 'examples/hello.js');
  return {
    main: [
      ['deploy', '--help'],
      ['get', 'executions'],
    ],
    // The help of all, which is written down.
    usage: [['--help']],
    run: [
      ['run', hello],
      ['run', '--help'],
      ['run', '--runtime', 'sh', '--exec', 'exit 0'],
      ['run', hello, { PRISN_DAEMON: 'on' }],
    ],
    get: [
      ['get', 'executions'],
      ['get', 'executions', '-o', 'json'],
      ['get', 'deployments'],
    ],
    trigger: [
      ['trigger', 'job'],
      ['trigger', 'job', '--wait'],
    ],
    logs: [['logs', 'exec-1']],
    wait: [['wait', 'exec-1']],
    version: [['version']],
    runtime: [['runtime', 'list']],
    config: [['config', 'list']],
  };
}

const options = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  // As `require`: through `import` node would read all of a CommonJS file for the names of its exports.
  supported: { 'dynamic-import': false },
  minifyWhitespace: true,
  minifySyntax: true,
  alias: { 'isolated-vm': './isolated-vm.cjs' },
  external: ['./isolated-vm.cjs'],
  logLevel: 'warning',
};

/** @param dist where the files go, as `prisn.cjs` and `cli-WORD.cjs` */
export async function bundleCli(root, dist) {
  const one = (entry, name, word) =>
    build({
      ...options,
      entryPoints: [join(root, entry)],
      outfile: join(dist, name),
      plugins: [{ name: 'dist-paths', setup: (building) => distPaths(building, root, word) }],
    });
  await one('src/cli/start.ts', 'prisn.cjs', 'main');
  for (const word of Object.keys(wordsOf(root))) await one('src/cli/prisn.ts', `cli-${word}.cjs`, word);
}

/** Keeps the paths of `dist` true inside a bundle: each file's own URL, what is loaded apart, and the commands of other words. */
function distPaths({ onLoad, onResolve }, root, word) {
  const inDist = (path) => relative(root, path).replace(/\.ts$/, '.js');
  const isOther = ({ kind, importer }, name) =>
    kind === 'dynamic-import' &&
    word !== 'main' &&
    /\/src\/cli\/(?:prisn|main)\.ts$/.test(importer) &&
    ![word === 'run' ? 'run' : 'main', word, 'commander'].includes(name);
  onResolve({ filter: /^[^./]/ }, ({ path }) =>
    path === 'commander' || path === 'isolated-vm' ? undefined : { path, external: true },
  );
  onResolve({ filter: /^\..*\.ts$/ }, (asked) => {
    const file = join(asked.resolveDir, asked.path);
    const name = relative(root, file);
    const isApart = apart.includes(name) || isOther(asked, name.replace(/^src\/cli\/(.*)\.ts$/, '$1'));
    return isApart ? { path: `./${inDist(file)}`, external: true } : undefined;
  });
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // A build knows it: to look it up takes a millisecond of each start.
  onLoad({ filter: /\/src\/cli\/version-text\.ts$/ }, () => ({
    contents: `export function versionText() { return ${JSON.stringify(version)}; }`,
  }));
  onLoad({ filter: /\.ts$/ }, ({ path }) => {
    const url = `require('node:url').pathToFileURL(__dirname + ${JSON.stringify(`/${inDist(path)}`)}).href`;
    return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url), loader: 'ts' };
  });
}

/** Runs what was built: writes the help down, and V8's code for each bundle. @throws Error where it does not run */
export async function keepCode(root, dist) {
  const home = mkdtempSync(join(tmpdir(), 'prisn-build-'));
  const server = (await standIn(dist)).listen(join(home, 'prisn.sock'));
  try {
    await once(server, 'listening');
    writeFileSync(join(home, 'daemon.json'), JSON.stringify(await recordOf(root, dist, home)));
    const env = { PATH: process.env.PATH, HOME: home, PRISN_HOME: home, PRISN_DAEMON: 'off', CI: '1' };
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(dist, 'prisn.cjs'), 'help'], {
      env,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`the build does not run: ${stderr}`);
    writeFileSync(join(dist, 'src/cli/help.txt'), stdout);
    for (const [word, lines] of Object.entries(wordsOf(root))) await run(dist, word, lines, env);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(home, { recursive: true, force: true });
  }
}

async function run(dist, word, lines, env) {
  const calls = lines.map((words) => [
    words.filter((part) => typeof part === 'string'),
    words.find((part) => typeof part === 'object'),
  ]);
  const script = fileURLToPath(new URL('code-cache.cjs', import.meta.url));
  const words = [script, join(dist, 'prisn.cjs'), join(dist, `cli-${word}.cjs`), JSON.stringify(calls)];
  const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the bundle of '${word}' does not run: ${said}`);
}

/** A server that has one execution, which has ended, and one deployment. */
async function standIn(dist) {
  const { encodeFrame, frameTypes, runProtocol } = await import(join(dist, 'src/base/frames.js'));
  const time = new Date().toISOString();
  const execution = {
    id: 'exec-1',
    deployment: 'job',
    namespace: 'default',
    status: 'Completed',
    exit_code: 0,
    created_at: time,
    started_at: time,
    run_ms: 1,
    attempt: 1,
    trigger: 'cli',
  };
  const deployment = { id: 'dep-1', name: 'job', namespace: 'default', type: 'job', runtime: 'javascript', revision: 1 };
  Object.assign(deployment, {
    entrypoint: 'job.js',
    source_hash: '',
    created_at: time,
    updated_at: time,
    status: { phase: 'Running' },
  });
  const list = (item) => ({ items: [item], count: 1, total: 1 });
  const server = createServer(({ method, url }, response) => {
    if (url.includes('/logs')) return response.end('hello\n');
    const isList = method === 'GET' && !url.includes('exec-1');
    const answer = url.includes('deployments') ? list(deployment) : isList ? list(execution) : execution;
    return response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  return server.on('upgrade', (_, socket) => {
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${runProtocol}\r\n\r\n`);
    const outcome = { reason: 'exit', exitCode: 0 };
    socket.write(encodeFrame(frameTypes.stdout, 'hello\n'));
    socket.end(encodeFrame(frameTypes.end, JSON.stringify(outcome)));
  });
}

/** The stand-in as a command finds it: this process, of this version and installation. */
async function recordOf(root, dist, home) {
  const { processId } = await import(join(dist, 'src/base/process-id.js'));
  return {
    ...processId(process.pid),
    address: null,
    socket: join(home, 'prisn.sock'),
    version: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
    install: join(dist, 'prisn.cjs'),
    mode: 'foreground',
  };
}
