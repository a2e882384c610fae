import type { ProcessRuntime } from '../src/model/runtime.ts';

/** Also runs what `javascript` and `typescript` cannot; an extension chooses it only where CommonJS is certain. */
export const node: ProcessRuntime = {
  id: 'node',
  name: 'Node.js',
  kind: 'process',
  aliases: ['nodejs'],
  extensions: ['.cjs', '.cts'],
  manifests: ['package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock'],
  shebangs: ['node', 'nodejs'],
  command: ['node', 'nodejs'],
  prefixes: [],
  args: ['{file}', '{args}'],
  exec: ['--eval={code}', '--', '{args}'],
  stdin: ['-', '{args}'],
  env: {},
  version: { args: ['--version'], pattern: 'v(\\d+\\.\\d+\\.\\d+)', minimum: '18' },
  fallback: process.execPath,
  install: {
    debian: 'apt-get install nodejs',
    fedora: 'dnf install nodejs',
    arch: 'pacman -S nodejs',
    macos: 'brew install node',
    other: 'see https://nodejs.org/en/download',
  },
  hello: "console.log('hello')",
};
