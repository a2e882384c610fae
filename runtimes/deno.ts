import type { ProcessRuntime } from '../src/model/runtime.ts';

/**
 * Runs as the user, like all others: with every permission. Chosen by name or by a `#!` line, whose own permissions hold then.
 */
export const deno: ProcessRuntime = {
  id: 'deno',
  name: 'Deno',
  kind: 'process',
  aliases: [],
  extensions: [],
  manifests: ['deno.json', 'deno.jsonc', 'deno.lock', 'package.json', 'package-lock.json'],
  shebangs: ['deno'],
  command: ['deno'],
  prefixes: [],
  args: ['run', '--allow-all', '{file}', '{args}'],
  exec: ['eval', '{code}', '--', '{args}'],
  stdin: ['run', '--allow-all', '-', '{args}'],
  env: {},
  version: {
    args: ['--version'],
    pattern: 'deno (\\d+\\.\\d+\\.\\d+)',
    minimum: '1.40',
  },
  install: {
    arch: 'pacman -S deno',
    macos: 'brew install deno',
    other: 'npm install -g deno, or see https://docs.deno.com/runtime/',
  },
  hello: "console.log('hello');",
};
