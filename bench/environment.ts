/** What does it cost to install what a program needs, against a plain venv and `npm ci`; and to find it installed, against a program without? */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, cpuOfCommands, report, type Row, timeCommands } from './measure.ts';
import { quantile } from '../src/load/ranks.ts';

const runs = 25;
const installs = 5;
/** What an environment that is there may add to a run, ms. */
const aimMs = 5;

export function environment(): void {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-bench-'));
  try {
    const env = surroundings(folder);
    const { python, javascript } = coldCommands(folder, env);
    const question = 'The first run of a program that needs a package: wall time';
    report({ question, baseline: 'venv, pip, python3', rows: timeCommands(python, installs) });
    if (javascript) report({ question, baseline: 'npm ci, node', rows: timeCommands(javascript, installs) });
    const rows = cpuOfCommands(cachedCommands(folder, env), runs);
    report({ question: 'A run whose environment is there: CPU', baseline: bare, rows });
    reportAdded(rows);
  } finally {
    spawnSync('chmod', ['-R', 'u+w', folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}

const bare = 'prisn run, an activated venv';

/** A wheel and a package of npm that hold one line, and no network. */
function surroundings(folder: string): NodeJS.ProcessEnv {
  const wheels = join(folder, 'wheels');
  mkdirSync(wheels);
  const wheel = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + '/apple-1.0-py3-none-any.whl', 'w') as z:
    info = 'apple-1.0.dist-info/'
    z.writestr('apple.py', 'version = 1\\n')
    z.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: apple\\nVersion: 1.0\\n')
    z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr(info + 'RECORD', 'apple.py,,\\n')`;
  spawnSync('python3', ['-c', wheel, wheels], { stdio: 'inherit' });
  const { VIRTUAL_ENV: _, ...env } = process.env;
  const pip = { PIP_CONFIG_FILE: '/dev/null', PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheels };
  return { ...env, ...pip, PRISN_HOME: join(folder, 'home'), CI: '1' };
}

/** Each from nothing: what was installed before is removed within the command, which takes milliseconds. */
function coldCommands(folder: string, env: NodeJS.ProcessEnv): { python: Command[]; javascript?: Command[] } {
  const python = project(folder, 'python', { 'requirements.txt': 'apple\n', 'x.py': 'import apple\n' });
  const own = 'npm_package() { rm -rf node_modules; npm ci --no-audit --no-fund --silent && node x.mjs; }; npm_package';
  const javascript = project(folder, 'javascript', {
    'package.json': '{"name":"x","version":"1.0.0","dependencies":{"is-number":"7.0.0"}}',
    'x.mjs': "import 'node:fs';\nimport 'is-number';\n",
  });
  const locked = spawnSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund'], { cwd: javascript, env });
  const bin = join(process.cwd(), 'bin/prisn');
  const prisn = `chmod -R u+w "$PRISN_HOME"; rm -rf "$PRISN_HOME/environments" node_modules; "${bin}" run`;
  const shell = (name: string, script: string, cwd: string): Command => ({ name, argv: ['bash', '-c', script], cwd, env });
  const plain = 'rm -rf v; python3 -m venv v && v/bin/pip -q install -r requirements.txt && v/bin/python3 x.py';
  const forPython = [shell('venv, pip, python3', plain, python), shell('prisn run x.py', `${prisn} x.py`, python)];
  // Without a registry there is none.
  if (locked.status !== 0) return { python: forPython };
  return {
    python: forPython,
    javascript: [shell('npm ci, node', own, javascript), shell('prisn run x.mjs', `${prisn} x.mjs`, javascript)],
  };
}

/** The same program in a venv that is activated, and in one that prisn made and has to find. */
function cachedCommands(folder: string, env: NodeJS.ProcessEnv): Command[] {
  const without = project(folder, 'without', { 'x.py': 'pass\n' });
  const by = {
    'requirements.txt': project(folder, 'file', { 'x.py': 'pass\n', 'requirements.txt': 'apple\n' }),
    'a block': project(folder, 'block', { 'x.py': '# /// script\n# dependencies = ["apple"]\n# ///\n' }),
  };
  const own = join(folder, 'v');
  spawnSync('python3', ['-m', 'venv', '--without-pip', own], { env });
  const argv = [join(process.cwd(), 'bin/prisn'), 'run', 'x.py'] as const;
  return [
    { name: bare, argv, cwd: without, env: { ...env, VIRTUAL_ENV: own } },
    ...Object.entries(by).map(([name, cwd]) => ({ name: `prisn run, ${name}`, argv, cwd, env })),
  ];
}

function project(folder: string, name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

function reportAdded(rows: readonly Row[]): void {
  const middle = ({ samples }: Row): number => quantile(samples, 0.5);
  const [base, ...needing] = rows as [Row, ...Row[]];
  const added = needing.map((row) => ({ name: row.name, ms: middle(row) - middle(base) }));
  console.log(`added, medians: ${added.map(({ name, ms }) => `${name} ${ms.toFixed(1)}`).join('; ')}`);
  console.log(`aim: ${aimMs} ms; ${added.every(({ ms }) => ms < aimMs) ? 'reached' : 'missed'}`);
}
