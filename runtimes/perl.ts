import type { ProcessRuntime } from '../src/model/runtime.ts';

export const perl: ProcessRuntime = {
  id: 'perl',
  name: 'Perl',
  kind: 'process',
  aliases: ['pl'],
  extensions: ['.pl'],
  manifests: ['cpanfile', 'cpanfile.snapshot'],
  shebangs: ['perl'],
  command: ['perl'],
  prefixes: [],
  args: ['{file}', '{args}'],
  exec: ['-e', '{code}', '--', '{args}'],
  stdin: ['-', '{args}'],
  env: {},
  version: {
    args: ['-e', 'print "perl $^V"'],
    pattern: 'perl v(\\d+\\.\\d+\\.\\d+)',
    minimum: '5.10',
  },
  install: {
    debian: 'apt-get install perl',
    fedora: 'dnf install perl',
    arch: 'pacman -S perl',
    macos: 'brew install perl',
    other: 'see https://www.perl.org/get.html',
  },
  dependencies: {
    install: ['cpanm', '--local-lib-contained', '{env}', '--installdeps', '{dir}'],
    env: {
      PERL5LIB: '{env}/lib/perl5',
    },
  },
  hello: 'print "hello\\n";',
};
