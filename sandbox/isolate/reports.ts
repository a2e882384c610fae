/** What isolated-vm throws at the host, read: rejections and syntax errors of the guest. */
import { pathToFileURL } from 'node:url';
import { importName, type Program } from '../../src/model/task.ts';
import type { ProgramSources } from './sources.ts';

/** isolated-vm appends the host's own frames below this line. */
const boundary = '\n    at (<isolated-vm boundary>)';
const notAnError = 'An object was thrown from supplied code within isolated-vm';

export interface GuestError {
  /** As the guest formatted it; undefined for what is no error of the guest's. */
  readonly stack: string | undefined;
  /** The message, or the text of what is no error. */
  readonly message: string;
  /** Of what is no object, the value itself. */
  readonly primitive?: string | number | boolean | bigint | null | undefined;
}

/** An error that came out of the guest. */
export function guestError(error: unknown): GuestError {
  if (!(error instanceof Error)) return { stack: undefined, message: String(error), primitive: error as GuestError['primitive'] };
  if (error.message.startsWith(notAnError)) return { stack: undefined, message: '#<Object>' };
  const [stack, ours] = (error.stack ?? '').split(boundary, 2);
  // Without the border it is an error of the host, whose frames the guest must not see.
  return { stack: ours === undefined ? undefined : stack, message: error.message };
}

/**
 * A syntax error in node's form: the place, the line, carets, the error, the engine.
 *
 * V8 knows from where to where it reaches, isolated-vm passes on where it begins. A script is compiled once more, by this
 * process's own V8, which tells; in a module the carets cover the word at its beginning.
 */
export function syntaxReport(error: SyntaxError, program: Program, sources: ProgramSources): string {
  const main = program.modules[program.entry];
  const told = main?.format === 'script' && main.map === undefined ? compileAgain(program.entry, main.code) : undefined;
  const text = told ?? missingExport(error, program) ?? atBeginning(error, sources);
  return `${text}\n\nNode.js ${process.version}\n`;
}

function compileAgain(filename: string, code: string): string | undefined {
  try {
    process.getBuiltinModule('node:vm').compileFunction(code, [importName], { filename });
    return undefined;
  } catch (error) {
    return (error as Error).stack?.split('\n    at ', 1)[0];
  }
}

/** Linking fails without a place: it is looked up in the import that asked for the name. */
function missingExport({ message }: SyntaxError, { modules }: Program): string | undefined {
  const [, specifier, name] = /^The requested module '(.*)' does not provide an export named '(.*)'$/.exec(message) ?? [];
  if (specifier === undefined || name === undefined) return undefined;
  const quoted = `['"]${RegExp.escape(specifier)}['"]`;
  const statement = new RegExp(
    `\\b(?:import|export)\\b[^;'"]*?(?<![\\w$])(${RegExp.escape(name)})(?![\\w$])[^;'"]*?from\\s*${quoted}`,
    'd',
  );
  for (const [file, { code }] of Object.entries(modules)) {
    const start = statement.exec(code)?.indices?.[1]?.[0];
    if (start === undefined) continue;
    const before = code.slice(0, start).split('\n');
    const indent = (before.at(-1) ?? '').replace(/[^\t]/g, ' ');
    const place = `${pathToFileURL(file).href}:${before.length}\n${code.split('\n')[before.length - 1]}`;
    return `${place}\n${indent}${'^'.repeat(name.length)}\nSyntaxError: ${message}`;
  }
  return undefined;
}

/** isolated-vm puts the place at the end of the message: `… [file:line:column]`. */
function atBeginning(error: SyntaxError, sources: ProgramSources): string {
  const [, text = error.message, file, line = '1', column = '1'] = /^(.*) \[(.*):(\d+):(\d+)\]$/s.exec(error.message) ?? [];
  if (file === undefined) return `${error.name}: ${text}`;
  const source = sources.line(file, Number(line)) ?? '';
  const start = Number(column) - 1;
  const marked = /^(?:[\p{ID_Continue}$]+|.)/u.exec(source.slice(start))?.[0] ?? ' ';
  const carets = `${source.slice(0, start).replace(/[^\t]/g, ' ')}${'^'.repeat(marked.length)}`;
  return `${file}:${line}\n${source}\n${carets}\n\n${error.name}: ${text}`;
}
