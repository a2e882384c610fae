import type { ProcessRuntime } from '../src/model/runtime.ts';

export const julia: ProcessRuntime = {
  id: 'julia',
  name: 'Julia',
  kind: 'process',
  aliases: ['jl'],
  extensions: ['.jl'],
  manifests: ['Project.toml', 'Manifest.toml'],
  shebangs: ['julia'],
  command: ['julia'],
  prefixes: [],
  args: ['{file}', '{args}'],
  exec: ['-e', '{code}', '--', '{args}'],
  stdin: ['-', '{args}'],
  env: {},
  version: {
    args: ['--version'],
    pattern: 'julia version (\\d+\\.\\d+\\.\\d+)',
    minimum: '1.6',
  },
  install: {
    fedora: 'dnf install julia',
    macos: 'brew install julia',
    other: 'see https://julialang.org/downloads/',
  },
  dependencies: {
    install: ['julia', '--project={dir}', '-e', 'using Pkg; Pkg.instantiate()'],
    env: {
      JULIA_DEPOT_PATH: '{env}:',
      JULIA_PROJECT: '{dir}',
    },
  },
  hello: 'println("hello")',
};
