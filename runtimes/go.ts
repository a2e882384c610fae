import type { ProcessRuntime } from '../src/model/runtime.ts';

/**
 * What `go run file.go` runs: the file, and the packages that it imports.
 *
 * Of what the build has read, only the user's own is listed: other modules are named by go.mod and go.sum. A folder of a
 * package counts as a whole, since a new file in it is compiled too, as does what `//go:embed` names. A pattern there is
 * no file, and what cannot be looked at again is not kept (`build.ts`): go's own cache is left for that.
 */
export const go: ProcessRuntime = {
  id: 'go',
  name: 'Go',
  kind: 'process',
  aliases: ['golang'],
  extensions: ['.go'],
  manifests: ['go.mod', 'go.sum', 'go.work'],
  shebangs: [],
  command: ['go'],
  prefixes: ['GOROOT'],
  args: ['{args}'],
  build: {
    args: ['build', '-trimpath', '-o', '{out}', '{file}'],
    inputs: [
      'list',
      '-deps',
      '-f',
      [
        '{{if not .Standard}}{{if or (not .Module) .Module.Main .Module.Replace}}',
        '{{$d := .Dir}}{{if ne .ImportPath "command-line-arguments"}}{{$d}}{{"\\n"}}{{end}}',
        ...['GoFiles', 'CgoFiles', 'CFiles', 'CXXFiles', 'HFiles', 'SFiles', 'EmbedFiles', 'EmbedPatterns'].map(
          (kind) => `{{range .${kind}}}{{$d}}/{{.}}{{"\\n"}}{{end}}`,
        ),
        '{{end}}{{end}}',
      ].join(''),
      '{file}',
    ],
    variables: [
      'CC',
      'CGO_CFLAGS',
      'CGO_ENABLED',
      'CGO_LDFLAGS',
      'GO111MODULE',
      'GOAMD64',
      'GOARCH',
      'GOARM',
      'GOEXPERIMENT',
      'GOFLAGS',
      'GOOS',
      'GOROOT',
      'GOTOOLCHAIN',
      'GOWORK',
    ],
  },
  env: {},
  version: { args: ['version'], pattern: 'go version go(\\d+\\.\\d+(?:\\.\\d+)?)', minimum: '1.16' },
  install: {
    debian: 'apt-get install golang-go',
    fedora: 'dnf install golang',
    arch: 'pacman -S go',
    macos: 'brew install go',
    other: 'see https://go.dev/doc/install',
  },
  hello: 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n',
};
