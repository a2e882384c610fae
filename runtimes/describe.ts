import { messageOf, PrisnError } from '../src/base/error.ts';
import { isAtLeast, type ProcessRuntime, type Runtime } from '../src/model/runtime.ts';
import { locate, type LocateContext } from './locate.ts';
import { versionOf } from './version.ts';

/** What `prisn runtime info` tells. */
export interface RuntimeDescription {
  readonly id: string;
  readonly name: string;
  readonly kind: Runtime['kind'];
  readonly aliases: readonly string[];
  readonly extensions: readonly string[];
  /** Absolute path of the interpreter. */
  readonly file?: string;
  readonly version?: string;
  /** Where the interpreter comes from, in words. */
  readonly source?: string;
  readonly status: 'ok' | 'missing' | 'too_old';
  /** What to do when the status is not `ok`. */
  readonly hint?: string;
}

/** Finds the runtime's interpreter and asks it for its version. A missing or broken one is a status, not an error. */
export async function describeRuntime(runtime: Runtime, context: LocateContext): Promise<RuntimeDescription> {
  const { id, name, kind, aliases, extensions } = runtime;
  const base = { id, name, kind, aliases, extensions };
  if (runtime.kind === 'isolate') return { ...base, version: process.versions.v8, source: 'prisn', status: 'ok' };
  if (runtime.command.length === 0) return { ...base, status: 'ok' };
  try {
    return { ...base, ...(await describeInterpreter(runtime, context)) };
  } catch (error) {
    if (!(error instanceof PrisnError)) throw error;
    return { ...base, status: 'missing', hint: messageOf(error) };
  }
}

async function describeInterpreter(
  runtime: ProcessRuntime,
  context: LocateContext,
): Promise<Pick<RuntimeDescription, 'file' | 'version' | 'source' | 'status' | 'hint'>> {
  const found = locate(runtime, context);
  if (!runtime.version) return { ...found, status: 'ok' };
  const version = await versionOf(runtime, found.file, context);
  const { minimum, args } = runtime.version;
  if (version === undefined)
    return {
      ...found,
      status: 'missing',
      hint: `${found.file} does not start, or tells no version: try ${[found.file, ...args].join(' ')}`,
    };
  if (minimum !== undefined && !isAtLeast(version, minimum))
    return {
      ...found,
      version,
      status: 'too_old',
      hint: `${runtime.name} ${version} is older than ${minimum}; install a later one`,
    };
  return { ...found, version, status: 'ok' };
}
