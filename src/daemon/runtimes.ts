/** The runtimes of this machine, as the API shows them. */
import { describeRuntime } from '../../runtimes/describe.ts';
import { allRuntimes } from '../../runtimes/index.ts';
import type { ShownRuntime } from '../api/parts.ts';

export async function shownRuntimes(home: string, env: NodeJS.ProcessEnv): Promise<ShownRuntime[]> {
  const context = { env, cwd: '/', cacheDir: `${home}/cache` };
  const { runtimes } = await allRuntimes(home);
  return Promise.all(
    runtimes.map(async (runtime) => {
      const { id, name, kind, extensions, status, version, file, hint } = await describeRuntime(runtime, context);
      return {
        id,
        name,
        kind,
        extensions: [...extensions],
        status: status.replace('_', ' '),
        ...(version !== undefined && { version }),
        ...(file !== undefined && { path: file }),
        ...(hint !== undefined && { hint }),
      };
    }),
  );
}
