/**
 * Interpreters and compilers for tests: what is on the PATH, else what an earlier run has brought into the cache folder, which
 * `npm run test:full` does. Packages of Debian are unpacked there and told by variables where they are, so the system stays as it
 * is; deno and bun come from npm.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { unpackDebian } from './debian.ts';
import { full } from './full.ts';
import { findProgram } from './machine.ts';

interface Toolchain {
  /** Packages of Debian; what else they need and is not installed is brought too. */
  readonly debian?: readonly string[];
  /** Of npm. */
  readonly npm?: string;
  /** In the folder: the program, by a pattern. */
  readonly program: string;
  /** Variables that it needs there, by patterns in the folder. */
  readonly variables?: Readonly<Record<string, readonly string[]>>;
  /** What else has to be done once. */
  readonly settle?: (folder: string) => void;
}

const libraries = ['usr/lib/*-linux-gnu', 'usr/lib/*-linux-gnu/{blas,lapack}'];

const toolchains: Readonly<Record<string, Toolchain>> = {
  ruby: {
    debian: ['ruby'],
    program: 'usr/bin/ruby[0-9]*',
    variables: {
      LD_LIBRARY_PATH: libraries,
      RUBYLIB: ['usr/lib/ruby/[0-9]*.0', 'usr/lib/*/ruby/[0-9]*.0', 'usr/lib/ruby/vendor_ruby'],
    },
  },
  php: { debian: ['php-cli'], program: 'usr/bin/php[0-9]*', variables: { LD_LIBRARY_PATH: libraries } },
  lua: { debian: ['lua5.4'], program: 'usr/bin/lua5.*' },
  Rscript: {
    debian: ['r-base-core'],
    program: 'usr/lib/R/bin/Rscript',
    variables: { LD_LIBRARY_PATH: ['usr/lib/R/lib', ...libraries], RHOME: ['usr/lib/R'] },
    settle: settleR,
  },
  go: { debian: ['golang-go'], program: 'usr/lib/go-*/bin/go', variables: { GOROOT: ['usr/lib/go-*'] } },
  deno: { npm: 'deno@2', program: 'node_modules/@deno/*/deno' },
  bun: { npm: 'bun@1', program: 'node_modules/@oven/*/bin/bun' },
};

const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'prisn-test');

/** @returns the folder to put on the PATH so that this command is there, or why it cannot be */
export function toolchain(command: string): { readonly path: string } | { readonly lacks: string } {
  const found = findProgram(command);
  if (found !== undefined) return { path: dirname(found) };
  const known = toolchains[command];
  if (!known) return { lacks: `no ${command} on the PATH` };
  const path = join(cache, command, 'bin');
  if (existsSync(path)) return { path };
  if (!full) return { lacks: `no ${command} on the PATH; npm run test:full brings one` };
  const why = bring(command, known);
  return why === undefined ? { path } : { lacks: why };
}

/** @returns why it cannot be done; what is there then is whole */
function bring(command: string, { debian, npm, program, variables = {}, settle }: Toolchain): string | undefined {
  const target = join(cache, command);
  const folder = `${target}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  try {
    const why = debian ? unpackDebian(lackingOf(debian), folder) : installFromNpm(npm as string, folder);
    if (why !== undefined) return why;
    rmSync(join(folder, 'archives'), { recursive: true, force: true });
    // From here on its files know where they are.
    rmSync(target, { recursive: true, force: true });
    renameSync(folder, target);
    settle?.(target);
    const [file] = globSync(program, { cwd: target });
    if (file === undefined) return `${command}: nothing is called ${program} in what came`;
    writeWrapper(target, command, file, variables);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The packages and what they need, less what the system has. */
function lackingOf(packages: readonly string[]): string[] {
  const simulated = spawnSync('apt-get', ['install', '--simulate', '--no-install-recommends', ...packages], { encoding: 'utf8' });
  return Array.from(simulated.stdout.matchAll(/^Inst (\S+)/gm), ([, name = '']) => name);
}

function installFromNpm(name: string, folder: string): string | undefined {
  const args = ['install', '--prefix', folder, '--no-save', '--ignore-scripts', name];
  const { status } = spawnSync('npm', args, { stdio: 'ignore' });
  return status === 0 ? undefined : `npm did not bring ${name}`;
}

function writeWrapper(folder: string, command: string, file: string, variables: NonNullable<Toolchain['variables']>): void {
  chmodSync(join(folder, file), 0o755);
  const exports = Object.entries(variables).map(([name, patterns]) => {
    const places = patterns.flatMap((pattern) => globSync(pattern, { cwd: folder })).map((place) => join(folder, place));
    return `export ${name}='${places.join(':')}'\n`;
  });
  const draft = join(folder, 'bin.draft');
  mkdirSync(draft);
  writeFileSync(join(draft, command), `#!/bin/sh\n${exports.join('')}exec '${join(folder, file)}' "$@"\n`, { mode: 0o755 });
  renameSync(draft, join(folder, 'bin'));
}

/** The script that Rscript starts has its folders written in, and Debian keeps its settings in /etc. */
function settleR(folder: string): void {
  const home = join(folder, 'usr/lib/R');
  const script = join(home, 'bin/R');
  const text = readFileSync(script, 'utf8')
    .replaceAll('/usr/lib/R', home)
    .replaceAll('/usr/share/R', join(folder, 'usr/share/R'));
  writeFileSync(script, text);
  const settings = join(home, 'etc');
  renameSync(join(settings, 'Renviron.ucf'), join(folder, 'etc/R/Renviron'));
  rmSync(settings, { recursive: true });
  renameSync(join(folder, 'etc/R'), settings);
}
