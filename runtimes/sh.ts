import type { ProcessRuntime } from '../src/model/runtime.ts';

/** The system's POSIX shell. It has no way to ask for its version. */
export const sh: ProcessRuntime = {
  id: 'sh',
  name: 'POSIX shell',
  kind: 'process',
  aliases: ['shell'],
  extensions: ['.sh'],
  manifests: [],
  shebangs: ['sh', 'dash'],
  ambiguous: true,
  command: ['sh'],
  prefixes: [],
  args: ['{file}', '{args}'],
  exec: ['-c', '--', '{code}', 'sh', '{args}'],
  stdin: ['-s', '--', '{args}'],
  env: {},
  install: { debian: 'apt-get install dash', other: 'install the sh of your system' },
  hello: 'echo hello',
};
