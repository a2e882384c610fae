import type { ProcessRuntime } from '../src/model/runtime.ts';

/** A program in one file (JEP 330). Such a launch compiles in memory, so it leaves nothing behind. */
export const java: ProcessRuntime = {
  id: 'java',
  name: 'Java',
  kind: 'process',
  aliases: [],
  extensions: ['.java'],
  manifests: [],
  shebangs: ['java'],
  command: ['java'],
  prefixes: ['JAVA_HOME'],
  args: ['{file}', '{args}'],
  env: {},
  version: {
    args: ['-version'],
    pattern: 'version "(\\d+(?:\\.\\d+)*)',
    minimum: '11',
  },
  install: {
    debian: 'apt-get install default-jdk-headless',
    fedora: 'dnf install java-latest-openjdk-devel',
    arch: 'pacman -S jdk-openjdk',
    macos: 'brew install openjdk',
    other: 'see https://adoptium.net/',
  },
  hello: 'class Main { public static void main(String[] args) { System.out.println("hello"); } }',
};
