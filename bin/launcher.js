/**
 * Compiles the native client of `prisn run` (`src/launcher/prisn.c`) where the system has a C compiler, and writes its header
 * first: what it must have in common with the rest of this build, the table of options above all.
 *
 * The id of the build stands in the launcher and beside it for the daemon: two that were not built together do not meet.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What costs nothing at run time is on; linked statically it starts in half the time, where libc can be. */
const flags = ['-std=c11', '-O2', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2', '-Wl,-z,relro,-z,now', '-s'];

/** @returns why there is none; undefined when there is one */
export async function buildLauncher(root, dist) {
  const folder = join(dist, 'launcher');
  mkdirSync(folder);
  const build = randomBytes(8).toString('hex');
  writeFileSync(join(folder, 'build'), build);
  if (process.platform !== 'linux') return `the launcher is for Linux, and this is ${process.platform}`;
  writeFileSync(join(folder, 'launcher.h'), await header(root, dist, build));
  const program = join(folder, process.arch);
  const words = [...flags, '-I', folder, '-o', program, join(root, 'src/launcher/prisn.c')];
  const compilers = ['cc', 'gcc', 'clang'].filter((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
  const works = ([compiler, ...first]) =>
    spawnSync(compiler, [...first, ...words], { stdio: 'ignore' }).status === 0 && spawnSync(program).status === declined;
  if (compilers.flatMap((name) => [[name, '-static'], [name]]).some(works)) return undefined;
  rmSync(program, { force: true });
  return compilers.length === 0 ? 'no C compiler (cc, gcc, clang) is there' : `${compilers[0]} cannot compile the launcher`;
}

/** Its exit code without words: it runs, and has nobody to hand over to. */
const declined = 125;

async function header(root, dist, build) {
  const { runOptions, warnsAfterFile } = await import(join(dist, 'src/cli/run-options.js'));
  const { outputWindow, runPath, runProtocol } = await import(join(dist, 'src/base/frames.js'));
  const { maxInputBytes } = await import(join(dist, 'src/model/foreground-run.js'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const text = { PRISN_VERSION: version, PRISN_BUILD: build, RUN_PATH: runPath, RUN_PROTOCOL: runProtocol };
  const numbers = { OUTPUT_WINDOW_BYTES: outputWindow, MAX_INPUT_BYTES: maxInputBytes };
  const rows = runOptions.map((option) => {
    const { long, short, value, repeatable = false, launched = false } = option;
    const letter = short === undefined ? 0 : `'${short.slice(1)}'`;
    return `  {"${long}", ${letter}, ${value !== undefined}, ${repeatable}, ${launched}, ${warnsAfterFile(option)}},`;
  });
  return [
    ...Object.entries(text).map(([name, value]) => `#define ${name} ${JSON.stringify(value)}`),
    ...Object.entries(numbers).map(([name, value]) => `#define ${name} ${value}`),
    'static const struct option options[] = {',
    ...rows,
    '};',
    '',
  ].join('\n');
}
