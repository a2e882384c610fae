import type { ProcessRuntime } from '../src/model/runtime.ts';

export const php: ProcessRuntime = {
  id: 'php',
  name: 'PHP',
  kind: 'process',
  aliases: [],
  extensions: ['.php'],
  manifests: ['composer.json', 'composer.lock'],
  shebangs: ['php'],
  command: ['php'],
  prefixes: [],
  args: ['{file}', '{args}'],
  exec: ['-r', '{code}', '--', '{args}'],
  stdin: ['--', '{args}'],
  env: {},
  version: {
    args: ['--version'],
    pattern: 'PHP (\\d+\\.\\d+\\.\\d+)',
    minimum: '7.4',
  },
  install: {
    debian: 'apt-get install php-cli',
    fedora: 'dnf install php-cli',
    arch: 'pacman -S php',
    macos: 'brew install php',
    other: 'see https://www.php.net/downloads',
  },
  hello: '<?php echo "hello\\n";',
};
