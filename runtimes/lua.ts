import type { ProcessRuntime } from '../src/model/runtime.ts';

/** With `-e`, arguments stand behind a script: an empty one. */
export const lua: ProcessRuntime = {
  id: 'lua',
  name: 'Lua',
  kind: 'process',
  aliases: [],
  extensions: ['.lua'],
  manifests: [],
  shebangs: ['lua', 'lua5.4', 'lua5.3', 'lua5.2', 'lua5.1', 'luajit'],
  command: ['lua', 'lua5.4', 'lua5.3', 'lua5.1', 'luajit'],
  prefixes: [],
  args: ['{file}', '{args}'],
  exec: ['-e', '{code}', '/dev/null', '{args}'],
  stdin: ['-', '{args}'],
  env: {},
  version: {
    args: ['-v'],
    pattern: 'Lua(?:JIT)? (\\d+\\.\\d+(?:\\.\\d+)?)',
  },
  install: {
    debian: 'apt-get install lua5.4',
    fedora: 'dnf install lua',
    arch: 'pacman -S lua',
    macos: 'brew install lua',
    other: 'see https://www.lua.org/download.html',
  },
  hello: "print('hello')",
};
