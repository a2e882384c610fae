import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { delimiter } from 'node:path';
import { runtimes } from '../../runtimes/index.ts';
import { environment, prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';
import { toolchain } from '../toolchains.ts';

interface Language {
  /** The name of a file, or its name and the runtime that has to be asked for. */
  readonly file: string | readonly [name: string, runtime: string];
  /** Prints its arguments in a line, with blanks between, then the first line of its stdin, and ends with 3. */
  readonly program: string;
  readonly broken: string;
  /** What is said of the broken one, at its start or in the middle. */
  readonly complaint: RegExp;
  /** The command in the place of the runtime's first. */
  readonly command?: string;
}

const languages: Readonly<Record<string, Language>> = {
  ruby: {
    file: 'a.rb',
    program: 'puts ARGV.join(" ")\nputs $stdin.gets\nexit 3\n',
    broken: 'puts (1\n',
    complaint: /syntax error/,
  },
  perl: {
    file: 'a.pl',
    program: 'print "@ARGV\\n", scalar <STDIN>;\nexit 3;\n',
    broken: 'print (1\n',
    complaint: /syntax error/,
  },
  php: {
    file: 'a.php',
    program: '<?php echo implode(" ", array_slice($argv, 1)), "\\n", fgets(STDIN); exit(3);\n',
    broken: '<?php echo (1\n',
    complaint: /[Ss]yntax error|Parse error/,
  },
  lua: {
    file: 'a.lua',
    program: 'print(table.concat(arg, " "))\nprint(io.read())\nos.exit(3)\n',
    broken: 'print((1\n',
    complaint: /expected .*near <eof>/,
  },
  r: {
    file: 'a.R',
    program: 'cat(commandArgs(TRUE), "\\n")\ncat(readLines(file("stdin"), 1), "\\n")\nquit(status = 3)\n',
    broken: 'x <- (\n',
    complaint: /unexpected end of input/,
    command: 'Rscript',
  },
  julia: {
    file: 'a.jl',
    program: 'println(join(ARGS, " "))\nprintln(readline())\nexit(3)\n',
    broken: 'println((1\n',
    complaint: /ParseError|syntax/,
  },
  go: {
    file: 'a.go',
    program: `package main

import ("bufio"; "fmt"; "os"; "strings")

func main() {
	line, _ := bufio.NewReader(os.Stdin).ReadString('\\n')
	fmt.Print(strings.Join(os.Args[1:], " "), "\\n", line)
	os.Exit(3)
}
`,
    broken: 'package main\n\nfunc main() { x := 1 }\n',
    complaint: /a\.go:3:15: .*declared/,
  },
  java: {
    file: 'Main.java',
    program: `public class Main {
  public static void main(String[] args) {
    System.out.println(String.join(" ", args));
    System.out.println(new java.util.Scanner(System.in).nextLine());
    System.exit(3);
  }
}
`,
    broken: 'class Main { public static void main(String[] args) { int x = } }\n',
    complaint: /Main\.java:1: error: illegal start of expression/,
  },
  deno: {
    file: ['a.ts', 'deno'],
    program:
      'const line: string = await new Response(Deno.stdin.readable).text();\nconsole.log(Deno.args.join(" ") + "\\n" + line);\nDeno.exit(3);\n',
    broken: 'const x = (\n',
    complaint: /Expression expected|SyntaxError|Unexpected/,
  },
  bun: {
    file: ['a.ts', 'bun'],
    program:
      'const line: string = await new Response(Bun.stdin).text();\nconsole.log(Bun.argv.slice(2).join(" ") + "\\n" + line);\nprocess.exit(3);\n',
    broken: 'const x = (\n',
    complaint: /error: .*[Uu]nexpected|Unexpected/,
  },
};

const found = Object.fromEntries(Object.entries(languages).map(([id, { command = id }]) => [id, toolchain(command)]));

/** What is installed, with the toolchains behind the PATH of all tests. */
function pathWith(ids: readonly string[]): string {
  const folders = ids.map((id) => found[id]).flatMap((one) => (one && 'path' in one ? [one.path] : []));
  return [environment()['PATH'], ...folders].join(delimiter);
}

function needs(id: string): { skip: string | false } {
  const one = found[id];
  return { skip: one !== undefined && 'lacks' in one && one.lacks };
}

describe('a file of a language is run as it is', { concurrency: 2 }, () => {
  for (const [id, { file, program, broken, complaint }] of Object.entries(languages)) {
    const [name, ...asked] = typeof file === 'string' ? [file] : [file[0], '--runtime', file[1]];

    test(`${id}: arguments, stdin, exit code, the directory`, needs(id), async (t) => {
      const scratch = new Scratch(t);
      scratch.file(`there/${name}`, program);
      const { code, stdout, stderr } = await prisn(['run', ...asked, `there/${name}`, 'a b', '-h', '--', 'ü'], {
        cwd: scratch.root,
        stdin: 'a line\n',
        env: { PATH: pathWith([id]) },
      });
      assert.deepEqual([code, stderr], [3, '']);
      assert.deepEqual(
        stdout
          .trim()
          .split(/ *\n/)
          .map((line) => line.trim()),
        ['a b -h -- ü', 'a line'],
      );
    });

    test(`${id}: a syntax error is told by the language itself, and is a failure`, needs(id), async (t) => {
      const scratch = new Scratch(t);
      scratch.file(name, broken);
      const { code, stdout, stderr } = await prisn(['run', ...asked, name], {
        cwd: scratch.root,
        env: { PATH: pathWith([id]) },
      });
      assert.ok([1, 2, 255].includes(code ?? 0), `${code} ${stderr}`);
      assert.match(stdout + stderr, complaint);
    });

    test(`${id}: its own hello is checked`, needs(id), async (t) => {
      const { code, stdout, stderr } = await prisn(['runtime', 'check', id], {
        env: { PATH: pathWith([id]), TMPDIR: new Scratch(t).root },
      });
      assert.equal(stderr, '');
      assert.match(stdout, new RegExp(`^${id}: ok, version \\d+\\.\\d+[^,]*, says hello \\(/.+\\)\n$`));
      assert.equal(code, 0);
    });
  }
});

test('the same programs run as executions of a server, from their text', async (t) => {
  const ids = Object.keys(languages).filter((id) => needs(id).skip === false);
  const server = await Server.start(t, { env: { PATH: pathWith(ids) } });
  for (const id of ids) {
    const { status, body } = await server.request('POST', '/api/v1/executions', {
      source: languages[id]?.program,
      runtime: id,
      args: ['a b', '-h'],
      stdin: 'a line\n',
      wait: true,
    });
    const { exit_code: code, stdout, stderr } = body as { exit_code: number; stdout: string; stderr?: string };
    assert.deepEqual([status, code], [200, 3], `${id}: ${JSON.stringify(body)}`);
    assert.match(stdout, /^a b -h *\n *a line *\n*$/, `${id}: ${stderr}`);
  }
});

test('code on the command line and a program on stdin run where the language takes them', async (t) => {
  const scratch = new Scratch(t);
  const prints: Readonly<Record<string, string>> = {
    ruby: 'puts ARGV.join(" ")',
    perl: 'print "@ARGV"',
    php: 'echo implode(" ", array_slice($argv, 1));',
    lua: 'print(table.concat(arg, " "))',
    r: 'cat(commandArgs(TRUE))',
    deno: 'console.log(Deno.args.join(" "))',
    bun: 'console.log(process.argv.slice(process.argv[1] === "-" ? 2 : 1).join(" "))',
  };
  for (const [id, code] of Object.entries(prints)) {
    if (needs(id).skip !== false) continue;
    const options = { cwd: scratch.root, env: { PATH: pathWith([id]) } };
    const given = await prisn(['run', '--runtime', id, '--exec', code, 'a', '-h'], options);
    assert.equal(given.stdout.trim(), 'a -h', `${id} --exec: ${given.stderr}`);
    const piped = await prisn(['run', '--runtime', id, '-', 'a', '-h'], {
      ...options,
      stdin: id === 'php' ? `<?php ${code}` : code,
    });
    assert.equal(piped.stdout.trim(), 'a -h', `${id} -: ${piped.stderr}`);
  }
  for (const id of ['go', 'java']) {
    if (needs(id).skip !== false) continue;
    const refused = await prisn(['run', '--runtime', id, '--exec', 'x'], { env: { PATH: pathWith([id]) } });
    assert.deepEqual([refused.code, refused.stderr.includes(`runtime ${id} runs files only`)], [2, true], refused.stderr);
  }
});

test('a language that is not installed is refused with what to type to have it', async (t) => {
  const scratch = new Scratch(t);
  for (const runtime of runtimes) {
    if (runtime.kind === 'isolate' || runtime.command.length === 0 || runtime.fallback !== undefined) continue;
    const file = scratch.file(`a${runtime.extensions[0] ?? ''}`);
    const { code, stderr } = await prisn(['run', '--runtime', runtime.id, file], {
      cwd: scratch.root,
      env: { PATH: scratch.root },
    });
    assert.equal(code, 127, runtime.id);
    assert.match(stderr, /not found in PATH .*; to install it: \w/, runtime.id);
  }
});
