import type { ProcessRuntime } from '../src/model/runtime.ts';

/** A file that the system itself can start: a binary, or a script whose `#!` line names no runtime of ours. */
export const executable: ProcessRuntime = {
  id: 'executable',
  name: 'Executable file',
  kind: 'process',
  aliases: ['binary'],
  extensions: [],
  manifests: [],
  shebangs: [],
  command: [],
  prefixes: [],
  args: ['{file}', '{args}'],
  env: {},
  install: {},
};
