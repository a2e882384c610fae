import type { ProcessRuntime } from '../src/model/runtime.ts';

export const python3: ProcessRuntime = {
  id: 'python3',
  name: 'Python 3',
  kind: 'process',
  aliases: ['python', 'py'],
  extensions: ['.py'],
  manifests: ['requirements.txt', 'pyproject.toml', 'uv.lock', '.python-version'],
  shebangs: ['python3', 'python'],
  command: ['python3', 'python'],
  prefixes: ['VIRTUAL_ENV', 'CONDA_PREFIX'],
  args: ['{file}', '{args}'],
  exec: ['-c', '{code}', '{args}'],
  stdin: ['-', '{args}'],
  env: {},
  version: { args: ['--version'], pattern: 'Python (\\d+\\.\\d+\\.\\d+)', minimum: '3.8' },
  install: {
    debian: 'apt-get install python3',
    fedora: 'dnf install python3',
    arch: 'pacman -S python',
    macos: 'brew install python3',
    other: 'see https://www.python.org/downloads/',
  },
  hello: "print('hello')",
};
