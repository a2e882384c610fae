/** Whether a runtime runs a program at all: the one that prints `hello`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessRuntime } from '../src/model/runtime.ts';
import { commandFor } from './command.ts';
import type { LocateContext } from './locate.ts';
import { sourceFileName } from './source-file.ts';

/** Enough for a compiler that compiles its own library first. */
const timeoutMs = 120_000;

/**
 * Runs it in a folder of its own.
 * @param hello the text of the program
 * @returns what it printed and how it ended, where that is not `hello` and 0
 */
export async function helloFails(runtime: ProcessRuntime, hello: string, context: LocateContext): Promise<string | undefined> {
  const { execFile } = process.getBuiltinModule('node:child_process');
  const folder = mkdtempSync(join(tmpdir(), 'prisn-hello-'));
  try {
    const file = join(folder, sourceFileName(runtime));
    writeFileSync(file, hello);
    const command = await commandFor({ runtime, how: '' }, { file }, [], { ...context, cwd: folder });
    const options = { cwd: folder, env: { ...context.env, ...command.env }, timeout: timeoutMs };
    return await new Promise((resolve) => {
      const child = execFile(command.file, command.args, options, (error, stdout, stderr) => {
        const ended = error ? `ended with ${error.code ?? error.signal}` : 'ended with 0';
        resolve(error === null && stdout.trim() === 'hello' ? undefined : `${ended} and printed: ${(stdout + stderr).trim()}`);
      });
      child.stdin?.end();
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
