import type { ProcessRuntime } from '../src/model/runtime.ts';

export const r: ProcessRuntime = {
  id: 'r',
  name: 'R',
  kind: 'process',
  aliases: ['rscript'],
  extensions: ['.r'],
  manifests: ['DESCRIPTION', 'renv.lock'],
  shebangs: ['Rscript'],
  command: ['Rscript'],
  prefixes: [],
  args: ['{file}', '{args}'],
  exec: ['-e', '{code}', '{args}'],
  stdin: ['-', '{args}'],
  env: {},
  version: {
    args: ['--version'],
    pattern: 'version (\\d+\\.\\d+\\.\\d+)',
  },
  install: {
    debian: 'apt-get install r-base-core',
    fedora: 'dnf install R-core',
    arch: 'pacman -S r',
    macos: 'brew install r',
    other: 'see https://cran.r-project.org/',
  },
  hello: "cat('hello\\n')",
};
