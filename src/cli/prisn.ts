/**
 * The entry of the CLI. `run` is a path of its own with a small import graph, since a run should feel like the bare
 * interpreter; every other command has `main.ts`.
 */
import { messageOf, PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { heldRun } from './held-run.ts';
import { say } from './say.ts';
import { checkWords } from './utf8.ts';

async function main(words: readonly string[]): Promise<number> {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new PrisnError(
      'unsupported',
      `runs on Linux (glibc) and macOS, and this is ${process.platform}; on Windows use it in WSL`,
    );
  }
  checkWords(words);
  if (words[0] === 'run' || words[0] === heldRun) {
    const { run } = await import('./run.ts');
    return run(words.slice(1), words[0] === heldRun);
  }
  const { cli } = await import('./main.ts');
  return cli(words);
}

main(process.argv.slice(2)).then(
  // Without node's orderly end, which would wait for what a program left behind.
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof PrisnError) say(error.message);
    else process.stderr.write(`prisn: failed: ${error instanceof Error ? error.stack : messageOf(error)}\n`);
    process.exit(error instanceof PrisnError ? error.exitCode : exitCodes.failed);
  },
);
