/**
 * Which variables of a program's environment a warm interpreter must share with it. A fork is given the program's whole
 * environment, but these have acted by then: in the dynamic linker and libc, in the start of CPython, or in the choice of
 * what it may import. Programs for which they differ get servers of their own.
 *
 * CPython: "Command line and environment", environment variables; Doc/using/cmdline.rst. ld.so(8), mallopt(3), setlocale(3).
 */

import { fileURLToPath } from 'node:url';

/** The program by which an interpreter becomes a fork server. */
export const forkServerPath = fileURLToPath(new URL('./forkserver.py', import.meta.url));

/** The variables that act before a program does, or why no fork can stand for a start with them. */
export type ForkKey =
  | {
      readonly env: Readonly<Record<string, string>>;
      /** Whether all are known settings, so that none can be a secret that only looks like one. */
      readonly isPlain: boolean;
    }
  | { readonly why: string };

/** `fork/probe.py` has the same names, for what a module reads as it is loaded ahead. */
const acting = /^(?:(?:PYTHON|LC_|LD_|MALLOC_|OPENSSL_).*|LANG|LANGUAGE|LOCPATH|HOME|GLIBC_TUNABLES)$/;

/** CPython's own have no underscore, but for the newer ones. */
const plain =
  /^(?:PYTHON[A-Z0-9]*|PYTHON_(?:COLORS|CPU_COUNT|FROZEN_MODULES|GIL|JIT|TLBC|BASIC_REPL|HISTORY|CONTEXT_AWARE_WARNINGS|THREAD_INHERIT_CONTEXT)|LC_[A-Z]+|LD_[A-Z_]+|MALLOC_[A-Z_]+|LANG|LANGUAGE|LOCPATH|HOME|GLIBC_TUNABLES)$/;

/** They report on the interpreter's own start and end, trace from its first allocation, or change how it is left. */
const spawning = [
  'PYTHONINSPECT',
  'PYTHONVERBOSE',
  'PYTHONDEBUG',
  'PYTHONPROFILEIMPORTTIME',
  'PYTHONTRACEMALLOC',
  'PYTHONMALLOCSTATS',
  'PYTHONDUMPREFS',
  'PYTHONDUMPREFSFILE',
  'PYTHONPERFSUPPORT',
  'PYTHON_PERF_JIT_SUPPORT',
  'PYTHON_PRESITE',
  'PYTHONEXECUTABLE',
  'LD_DEBUG',
  'LD_PROFILE',
  'LD_SHOW_AUXV',
  'LD_TRACE_LOADED_OBJECTS',
];

/** @param env the program's, whole */
export function forkKey(env: Readonly<Record<string, string>>): ForkKey {
  // An empty one counts as not set.
  const spawns = spawning.find((name) => env[name]);
  if (spawns !== undefined) return { why: `${spawns} acts at the interpreter's own start` };
  if (env['PYTHONCOERCECLOCALE'] === 'warn') return { why: 'PYTHONCOERCECLOCALE=warn is said at the start of an interpreter' };
  const names = Object.keys(env)
    .filter((name) => acting.test(name))
    .toSorted();
  return {
    env: Object.fromEntries(names.map((name) => [name, env[name] ?? ''])),
    isPlain: names.every((name) => plain.test(name)),
  };
}
