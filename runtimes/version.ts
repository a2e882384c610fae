import { isAtLeast, type ProcessRuntime } from '../src/model/runtime.ts';
import { recall, remember } from './cache.ts';
import type { LocateContext } from './locate.ts';
import { isShim } from './shims.ts';

const timeoutMs = 10_000;

/**
 * The version of an interpreter, by running it, or as kept since. One that a shim chooses anew each time is not kept.
 * @returns such as `3.11.2`; undefined when it has no version, does not start, or says nothing of the form
 */
export async function versionOf(runtime: ProcessRuntime, file: string, context: LocateContext): Promise<string | undefined> {
  const { version } = runtime;
  if (!version) return undefined;
  const key = ['version', ...version.args, file].join('\n');
  const known = isShim(file) ? undefined : recall(context.cacheDir, key);
  if (known !== undefined) return known;
  const [, found] = new RegExp(version.pattern).exec(await outputOf(file, version.args, context)) ?? [];
  if (found !== undefined && !isShim(file)) remember(context.cacheDir, key, found, [file]);
  return found;
}

/** Whether an interpreter has at least a version. */
export async function isSince(runtime: ProcessRuntime, file: string, minimum: string, context: LocateContext): Promise<boolean> {
  const version = await versionOf(runtime, file, context);
  return version !== undefined && isAtLeast(version, minimum);
}

async function outputOf(file: string, args: readonly string[], { env, cwd }: LocateContext): Promise<string> {
  const { execFile } = process.getBuiltinModule('node:child_process');
  return new Promise((done) => {
    try {
      execFile(file, args, { env, cwd, timeout: timeoutMs, killSignal: 'SIGKILL' }, (_error, stdout, stderr) => {
        done(`${stdout}\n${stderr}`);
      });
    } catch {
      done(''); // it cannot even be spawned
    }
  });
}
