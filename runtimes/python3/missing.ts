/** Which of the modules that a program imports its interpreter does not find: asked after it has failed, to say what to add. */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { importsOf } from './imports.ts';

const timeoutMs = 5000;

/** Looks for top-level modules as the program would, and runs none of them. */
const finder = `import sys, importlib.util
sys.path[0] = sys.argv[1]
for name in sys.argv[2:]:
    try:
        found = importlib.util.find_spec(name)
    except Exception:
        found = True
    if not found:
        print(name)`;

/**
 * @param file absolute path of the program
 * @param interpreter absolute path
 * @returns names of modules; none where that cannot be told
 */
async function missingModules(file: string, interpreter: string, env: Readonly<Record<string, string>>): Promise<string[]> {
  const { execFile } = process.getBuiltinModule('node:child_process');
  const absolute = importsOf(readFileSync(file, 'utf8')).imports.filter(({ level }) => level === 0);
  const names = [...new Set(absolute.map(({ module }) => module.split('.')[0] as string))];
  if (names.length === 0) return [];
  return new Promise((done) => {
    execFile(interpreter, ['-c', finder, dirname(file), ...names], { env, timeout: timeoutMs }, (_error, stdout) => {
      done(stdout.split('\n').filter(Boolean));
    });
  });
}

/** @returns what to do about modules that are missing, in a sentence; undefined where none is */
export async function adviceOnModules(
  file: string,
  interpreter: string,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const missing = await missingModules(file, interpreter, env).catch(() => []);
  if (missing.length === 0) return undefined;
  const [name] = missing;
  const are = missing.length === 1 ? `the module ${name} is` : `the modules ${missing.join(', ')} are`;
  return (
    `${are} not installed for ${interpreter}; name the package that has it, in requirements.txt beside ${basename(file)}, ` +
    'in a # /// script block at its top, or by prisn run --with <package>'
  );
}
