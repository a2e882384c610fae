/**
 * The entry of the CLI. `run` is a path of its own with a small import graph, since a run should feel like the bare
 * interpreter; every other command loads the full CLI.
 */
import { messageOf, PrisnError } from '../base/error.ts';
import { heldRun, run } from './run.ts';
import { say } from './say.ts';

async function main(words: readonly string[]): Promise<number> {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new PrisnError(
      'unsupported',
      `runs on Linux (glibc) and macOS, and this is ${process.platform}; on Windows use it in WSL`,
    );
  }
  if (words[0] === 'run') return run(words.slice(1));
  if (words[0] === heldRun) return run(words.slice(1), true);
  const { cli } = await import('./main.ts');
  return cli(words);
}

main(process.argv.slice(2)).then(
  (code) => leave(code),
  (error: unknown) => {
    say(error instanceof PrisnError ? error.message : `failed: ${error instanceof Error ? error.stack : messageOf(error)}`);
    leave(error instanceof PrisnError ? error.exitCode : 125);
  },
);

/** Ends the process without node's orderly teardown, which would wait for what a program left behind. */
function leave(code: number): void {
  process.exit(code);
}
