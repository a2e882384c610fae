import type { ProcessRuntime } from '../src/model/runtime.ts';

export const bash: ProcessRuntime = {
  id: 'bash',
  name: 'Bash',
  kind: 'process',
  aliases: [],
  extensions: ['.bash'],
  manifests: [],
  shebangs: ['bash'],
  ambiguous: true,
  command: ['bash'],
  prefixes: [],
  args: ['{file}', '{args}'],
  // When stdin is a socket, bash -c takes itself for a child of rshd and reads ~/.bashrc (bash(1), INVOCATION).
  exec: ['--norc', '-c', '--', '{code}', 'bash', '{args}'],
  stdin: ['-s', '--', '{args}'],
  env: {},
  version: { args: ['--version'], pattern: 'version (\\d+\\.\\d+\\.\\d+)' },
  install: {
    debian: 'apt-get install bash',
    fedora: 'dnf install bash',
    arch: 'pacman -S bash',
    macos: 'brew install bash',
    other: 'see https://www.gnu.org/software/bash/',
  },
  hello: 'echo hello',
};
