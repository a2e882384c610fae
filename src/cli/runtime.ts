/** `prisn runtime list | info | check | detect`: what can be run here, by what, and why. */
import type { Command } from './command.ts';
import { describeRuntime, type RuntimeDescription } from '../../runtimes/describe.ts';
import { readHead } from '../../runtimes/head.ts';
import { allRuntimes, detect, findRuntime, runtimes } from '../../runtimes/index.ts';
import type { readRuntimeFile } from '../../runtimes/own.ts';
import { resolve } from 'node:path';
import { exitCodes } from '../base/exit-codes.ts';
import type { ProcessRuntime } from '../model/runtime.ts';
import { helloFails } from '../../runtimes/hello.ts';
import { cacheDir, homeDir } from './home.ts';
import { write } from './output.ts';
import { table } from './table.ts';

const home = () => homeDir(process.env);
const place = () => ({ env: process.env, cwd: process.cwd(), cacheDir: cacheDir(process.env) });

export function runtimeCommand(program: Command, exit: (code: number) => void): void {
  const runtime = program.command('runtime').description('the runtimes: what runs files of a language');
  runtime.command('list').description('all runtimes, and whether they can run here').action(list);
  runtime.command('info').description('one runtime in full').argument('<id>').action(info);
  runtime
    .command('check')
    .description('whether a runtime, or the one of a file, can run here: exit code 0, else 127')
    .argument('<id or file.toml>')
    .action(async (word: string) => exit(await check(word)));
  runtime
    .command('detect')
    .description('what would run a file, and why')
    .argument('<file>')
    .action(async (file: string) => exit(await explainFile(file)));
}

async function list(): Promise<void> {
  const { runtimes: all, problems } = await allRuntimes(home());
  const described = await Promise.all(all.map((runtime) => describeRuntime(runtime, place())));
  const rows = described.map((row) => [
    row.id,
    row.status,
    row.version ?? '',
    row.extensions.join(' '),
    row.file ?? row.source ?? '',
  ]);
  await write(table([['RUNTIME', 'STATUS', 'VERSION', 'EXTENSIONS', 'FOUND'], ...rows]));
  await tell(problems);
}

async function info(id: string): Promise<void> {
  const described: RuntimeDescription = await describeRuntime(await findRuntime(id, home()), place());
  const rows = Object.entries(described).map(([name, value]) => [name, Array.isArray(value) ? value.join(' ') : String(value)]);
  await write(table(rows));
}

async function check(word: string): Promise<number> {
  const read = word.endsWith('.toml') ? await readFile(word) : { runtime: await findRuntime(word, home()) };
  if ('problems' in read) {
    await tell(read.problems);
    return exitCodes.usage;
  }
  const { runtime } = read;
  const { id, status, file, version, hint } = await describeRuntime(runtime, place());
  if (status !== 'ok') {
    await write(`prisn: ${id}: ${status.replace('_', ' ')}; ${hint}\n`, 2);
    return exitCodes.notFound;
  }
  const hello = runtime.kind === 'process' ? runtime.hello : undefined;
  const failed = hello === undefined ? undefined : await helloFails(runtime as ProcessRuntime, hello, place());
  if (failed !== undefined) {
    await write(`prisn: ${id}: its hello should print hello and end with 0, but ${failed}\n`, 2);
    return exitCodes.failure;
  }
  const parts = [version && `version ${version}`, hello !== undefined && 'says hello'].filter(Boolean);
  await write(`${[`${id}: ok`, ...parts].join(', ')}${file ? ` (${file})` : ''}\n`);
  return 0;
}

async function readFile(file: string): ReturnType<typeof readRuntimeFile> {
  return (await import('../../runtimes/own.ts')).readRuntimeFile(file, runtimes);
}

async function tell(problems: readonly string[]): Promise<void> {
  await write(problems.map((problem) => `prisn: ${problem}\n`).join(''), 2);
}

async function explainFile(file: string): Promise<number> {
  const { runtime, how } = await detect(file, readHead(file), place(), { home: home() });
  if (runtime.kind === 'process') {
    await write(`${runtime.id} (${how})\n`);
    return 0;
  }
  const { loadProgram } = await import('../../runtimes/javascript/load.ts');
  const loaded = await loadProgram(resolve(file), { cacheDir: place().cacheDir });
  switch (loaded.choice) {
    case 'isolate':
      await write(`${runtime.id} (${how}): an isolate\n`);
      return 0;
    case 'node':
      await write(`${runtime.id} (${how}): node, since ${loaded.why}\n`);
      return 0;
    case 'fails':
      await write(loaded.message, 2);
      return exitCodes.failure;
    default:
      return loaded satisfies never;
  }
}
