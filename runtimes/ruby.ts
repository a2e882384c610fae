import type { ProcessRuntime } from '../src/model/runtime.ts';

export const ruby: ProcessRuntime = {
  id: 'ruby',
  name: 'Ruby',
  kind: 'process',
  aliases: ['rb'],
  extensions: ['.rb'],
  manifests: ['Gemfile', 'Gemfile.lock', '.ruby-version'],
  shebangs: ['ruby'],
  command: ['ruby'],
  prefixes: [],
  args: ['{file}', '{args}'],
  exec: ['-e', '{code}', '--', '{args}'],
  stdin: ['-', '{args}'],
  env: {},
  version: {
    args: ['--version'],
    pattern: 'ruby (\\d+\\.\\d+\\.\\d+)',
    minimum: '2.7',
  },
  install: {
    debian: 'apt-get install ruby',
    fedora: 'dnf install ruby',
    arch: 'pacman -S ruby',
    macos: 'brew install ruby',
    other: 'see https://www.ruby-lang.org/en/downloads/',
  },
  dependencies: {
    install: ['env', '-u', 'RUBYOPT', 'bundle', 'install'],
    env: {
      BUNDLE_PATH: '{env}',
      BUNDLE_GEMFILE: '{dir}/Gemfile',
      RUBYOPT: '-rbundler/setup',
    },
  },
  hello: "puts 'hello'",
};
