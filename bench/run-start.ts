/** How long does `prisn run` take, from the first byte of the command to its end, against the bare interpreter? */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { locate } from '../runtimes/locate.ts';
import { python3 } from '../runtimes/python3.ts';
import { type Command, report, timeCommands } from './measure.ts';

/** npm starts scripts at the top of the project. */
const root = process.cwd();
const script = (name: string): string => join(root, 'bench/scripts', name);

export function runStart(): void {
  const home = mkdtempSync(join(tmpdir(), 'prisn-bench-'));
  try {
    // As its users have it: a link on the PATH, found there.
    symlinkSync(join(root, 'bin/prisn'), join(home, 'prisn'));
    const env = { ...process.env, PATH: `${home}${delimiter}${process.env['PATH']}`, PRISN_HOME: home };
    const python = locate(python3, { env, cwd: root, cacheDir: join(home, 'cache') }).file;
    const run = (name: string, ...argv: [string, ...string[]]): Command => ({ name, argv, env, cwd: root });
    const nothing = run('true', 'true');
    compare('JavaScript: hello', 'node hello.js', [
      nothing,
      run('node hello.js', process.execPath, script('hello.js')),
      run('prisn run hello.js', 'prisn', 'run', script('hello.js')),
      run('npx prisn run hello.js', 'npx', 'prisn', 'run', script('hello.js')),
    ]);
    compare('JavaScript: two imports', 'node imports.mjs', [
      nothing,
      run('node imports.mjs', process.execPath, script('imports.mjs')),
      run('prisn run imports.mjs', 'prisn', 'run', script('imports.mjs')),
    ]);
    compare('TypeScript: hello', 'node typed.ts', [
      nothing,
      run('node typed.ts', process.execPath, script('typed.ts')),
      run('prisn run typed.ts', 'prisn', 'run', script('typed.ts')),
    ]);
    compare('Python: hello (aim: the two baselines together, and 5 ms)', 'python3 hello.py', [
      nothing,
      run('python3 hello.py', python, script('hello.py')),
      run('node empty', process.execPath, '-e', ''),
      run('prisn run hello.py', 'prisn', 'run', script('hello.py')),
    ]);
    compare('Python: 60 ms of imports', 'python3 imports.py', [
      nothing,
      run('python3 imports.py', python, script('imports.py')),
      run('prisn run imports.py', 'prisn', 'run', script('imports.py')),
    ]);
    compare('Bash: hello', 'bash hello.bash', [
      nothing,
      run('bash hello.bash', 'bash', script('hello.bash')),
      run('prisn run hello.bash', 'prisn', 'run', script('hello.bash')),
    ]);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function compare(question: string, baseline: string, commands: readonly Command[]): void {
  report({ question, baseline, rows: timeCommands(commands, 25), overhead: 'true' });
}
