import type { ProcessRuntime } from '../src/model/runtime.ts';

/** Chosen by name or by a `#!` line. */
export const bun: ProcessRuntime = {
  id: 'bun',
  name: 'Bun',
  kind: 'process',
  aliases: [],
  extensions: [],
  manifests: ['package.json', 'bun.lock', 'bun.lockb', 'bunfig.toml'],
  shebangs: ['bun'],
  command: ['bun'],
  prefixes: [],
  args: ['run', '{file}', '{args}'],
  exec: ['-e', '{code}', '--', '{args}'],
  stdin: ['run', '-', '{args}'],
  env: {},
  version: {
    args: ['--version'],
    pattern: '^(\\d+\\.\\d+\\.\\d+)',
    minimum: '1.0',
  },
  install: {
    macos: 'brew install oven-sh/bun/bun',
    other: 'npm install -g bun, or see https://bun.com/docs/installation',
  },
  hello: "console.log('hello');",
};
