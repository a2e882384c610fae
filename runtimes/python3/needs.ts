/**
 * What a Python program says that it needs. The program's own words go first, then those of the files beside it:
 *
 *   # /// script      a block in its text (https://packaging.python.org/en/latest/specifications/inline-script-metadata/)
 *   uv.lock           beside a pyproject.toml
 *   requirements.txt
 *   pyproject.toml    with `dependencies` in its `[project]` (PEP 621), or a build system
 *
 * Only what `[project]` and a block list is read here. A requirement itself is never understood, it is the installer's.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PrisnError } from '../../src/base/error.ts';
import type { PythonNeeds } from '../../src/model/needs.ts';

export interface PythonPlace {
  /** Absolute path of the program; of one without a file, of any in the folder that paths start from. */
  readonly file: string;
  /** The program's text where it is in no file: then nothing lies beside it. */
  readonly text?: string | undefined;
  /** Absolute path of the last folder, above the program's own, in which files count; its own alone without. */
  readonly top?: string | undefined;
  /** Requirements of the command line. */
  readonly added: readonly string[];
}

/** A larger program is no script that somebody wrote a block into. */
const maxTextBytes = 4 * 2 ** 20;

/** @throws PrisnError `dependency` for a block or a pyproject.toml that cannot be read */
export async function pythonNeeds({ file, text, top, added }: PythonPlace): Promise<PythonNeeds | undefined> {
  const folder = dirname(file);
  const found =
    (await ofBlock(file, text ?? readProgram(file))) ?? (text === undefined ? await ofFiles(folder, top ?? folder) : undefined);
  if (added.length === 0) return found && isNeeded(found) ? found : undefined;
  if (found) return { ...found, requirements: [...found.requirements, ...added] };
  return { ...nothing, form: 'options', source: folder, folder, requirements: added };
}

const nothing = { language: 'python3', requirements: [], isPackage: false, requiresPython: '' } as const;

function isNeeded({ form, requirements, isPackage, requiresPython }: PythonNeeds): boolean {
  return form === 'requirements' || form === 'lock' || isPackage || requirements.length > 0 || requiresPython !== '';
}

function readProgram(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() && stat.size <= maxTextBytes ? readFileSync(file, 'utf8') : '';
}

/** The pattern of the specification. */
const blocks = /^# \/\/\/ ([a-zA-Z0-9-]+)[ \t\r]*\n((?:#(?:| .*)\n)+)# \/\/\/[ \t\r]*$/gm;

async function ofBlock(file: string, text: string): Promise<PythonNeeds | undefined> {
  if (!text.includes('# /// script')) return undefined;
  const found = [...text.replaceAll('\r\n', '\n').matchAll(blocks)].filter(([, type]) => type === 'script');
  const [, , content = ''] = found[0] ?? [];
  if (found.length === 0) return undefined;
  if (found.length > 1) throw unreadable(file, 'it has more than one # /// script block');
  const toml = content.replace(/^# ?/gm, '');
  const table = await parseToml(toml, file, '# /// script block');
  return {
    ...nothing,
    form: 'script',
    source: file,
    folder: dirname(file),
    requirements: texts(table, 'dependencies', file),
    requiresPython: textOf(table, 'requires-python', file),
  };
}

async function ofFiles(folder: string, top: string): Promise<PythonNeeds | undefined> {
  const project = join(folder, 'pyproject.toml');
  const lock = join(folder, 'uv.lock');
  const requirements = join(folder, 'requirements.txt');
  if (isFile(lock) && isFile(project)) return { ...(await ofProject(project, folder)), form: 'lock', source: lock };
  if (isFile(requirements)) return { ...nothing, form: 'requirements', source: requirements, folder };
  if (isFile(project)) {
    const found = await ofProject(project, folder);
    if (found.isPackage || found.requirements.length > 0) return found;
  }
  return folder === top || dirname(folder) === folder ? undefined : ofFiles(dirname(folder), top);
}

async function ofProject(file: string, folder: string): Promise<PythonNeeds> {
  const table = await parseToml(readFileSync(file, 'utf8'), file, 'file');
  const project = tableOf(table['project']);
  const uv = tableOf(tableOf(table['tool'])['uv']);
  return {
    ...nothing,
    form: 'project',
    source: file,
    folder,
    requirements: texts(project, 'dependencies', file),
    isPackage: project['name'] !== undefined && table['build-system'] !== undefined && uv['package'] !== false,
    requiresPython: textOf(project, 'requires-python', file),
  };
}

type Table = Readonly<Record<string, unknown>>;

async function parseToml(text: string, file: string, what: string): Promise<Table> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason] = error.message.split('\n');
    throw unreadable(file, `line ${error.line} of its ${what}: ${reason}`);
  }
}

function tableOf(value: unknown): Table {
  return typeof value === 'object' && value !== null ? (value as Table) : {};
}

function texts(table: Table, key: string, file: string): string[] {
  const value = table[key] ?? [];
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string' && !/[\r\n]/.test(item)))
    return value;
  throw unreadable(file, `its ${key} is no list of texts`);
}

function textOf(table: Table, key: string, file: string): string {
  const value = table[key] ?? '';
  if (typeof value === 'string') return value;
  throw unreadable(file, `its ${key} is no text`);
}

function unreadable(file: string, why: string): PrisnError {
  return new PrisnError('dependency', `${file}: ${why}; correct it, or run without dependencies: --no-deps`);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
