/** `prisn run --detach`: an execution on a server, of a file with what it brings along or of code as it was given. */
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { bringsAlong } from '../../runtimes/brings.ts';
import type { ProgramSource } from '../../runtimes/command.ts';
import { readHead } from '../../runtimes/head.ts';
import { detect } from '../../runtimes/index.ts';
import type { ExecutionFields } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { isTerminal } from '../base/terminal.ts';
import { packFiles, packStream } from '../bundles/pack.ts';
import type { Client } from '../client/client.ts';
import { nameOfLanguage } from '../foreground.ts';
import { checkName } from '../model/name.ts';
import type { Limits } from '../model/task.ts';
import { connect } from './connect.ts';
import { homeDir } from './home.ts';
import { last, type RunArguments } from './run-options.ts';
import { say } from './say.ts';
import { textOf } from './utf8.ts';

export interface DetachedRun {
  readonly program: ProgramSource;
  /** What was given on the command line: nothing of the caller's own environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly limits: Limits;
  /** JSON text. */
  readonly input: string | undefined;
}

/** Prints the id of the execution. @returns the exit code @throws PrisnError */
export async function runDetached(parsed: RunArguments, run: DetachedRun): Promise<number> {
  if (parsed.options.has('--workdir'))
    throw new PrisnError('usage', '--workdir is of this machine; a detached run works in a folder of its own: leave it out');
  const [name, namespace, server] = [last(parsed, '--name'), last(parsed, '--namespace'), last(parsed, '--server')];
  const fields: ExecutionFields = {
    args: [...parsed.args],
    env: { ...run.env },
    trigger: 'cli',
    ...(name !== undefined && { name: checkName(name, '--name') }),
    ...(namespace !== undefined && { namespace: checkName(namespace, '--namespace') }),
    ...limitFields(run.limits),
  };
  const source = await sourceOf(parsed, run.program);
  const client = await connect({ ...(server !== undefined && { server }) });
  const body = { ...fields, ...(await source(client)) };
  const { id } = await client.call('createExecution', { body, ...(run.input !== undefined && { texts: { input: run.input } }) });
  process.stdout.write(`${id}\n`);
  if (isTerminal(2)) say(`it runs in the background; its output: prisn logs -f ${id}`);
  return 0;
}

type SourceFields = Pick<ExecutionFields, 'source' | 'bundle' | 'entrypoint' | 'runtime'>;

/** Looks at all that is here before a server is needed. @returns what uploads it */
async function sourceOf(parsed: RunArguments, program: ProgramSource): Promise<(client: Client) => Promise<SourceFields>> {
  const place = { env: process.env as Record<string, string>, cwd: process.cwd() };
  const asked = last(parsed, '--runtime');
  if (!('file' in program)) {
    const runtime = nameOfLanguage(program, asked);
    const source = 'code' in program ? program.code : textOf(readFileSync(0), 'standard input');
    return async () => ({ source, runtime });
  }
  const file = resolve(program.file);
  // A refusal names the file as it was typed.
  const head = readHead(program.file);
  if (asked === undefined) await detect(program.file, head, place, { home: homeDir(process.env) });
  const { files, notes } = await bringsAlong(file, place, { runtime: asked, home: homeDir(process.env) });
  const packing = await packFiles(files);
  for (const note of notes) say(note);
  if (parsed.options.has('--verbose')) say(`goes up: ${packing.files.map(({ path }) => path).join(', ')}`);
  return async (client) => {
    const { id } = await client.call('uploadBundle', { upload: packStream(packing) });
    const entrypoint = relative(packing.root, file);
    return { bundle: id, entrypoint, ...(asked !== undefined && { runtime: asked }) };
  };
}

function limitFields({ timeoutMs, memoryBytes, cpu, pids }: Limits): Pick<ExecutionFields, 'timeout' | 'resources'> {
  const resources = {
    ...(memoryBytes !== undefined && { memory_mb: Math.ceil(memoryBytes / 2 ** 20) }),
    ...(cpu !== undefined && { cpu }),
    ...(pids !== undefined && { pids }),
  };
  return {
    ...(timeoutMs !== undefined && { timeout: `${timeoutMs}ms` }),
    ...(Object.keys(resources).length > 0 && { resources }),
  };
}
