/** `prisn runtime list | info | check | detect`: what can be run here, by what, and why. */
import type { Command } from './command.ts';
import { describeRuntime, type RuntimeDescription } from '../../runtimes/describe.ts';
import { readHead } from '../../runtimes/head.ts';
import { detect, runtimeById, runtimes } from '../../runtimes/index.ts';
import { resolve } from 'node:path';
import { exitCodes } from '../base/exit-codes.ts';
import { cacheDir } from './home.ts';
import { write } from './output.ts';
import { table } from './table.ts';

const place = () => ({ env: process.env, cwd: process.cwd(), cacheDir: cacheDir(process.env) });

export function runtimeCommand(program: Command, exit: (code: number) => void): void {
  const runtime = program.command('runtime').description('the runtimes: what runs files of a language');
  runtime.command('list').description('all runtimes, and whether they can run here').action(list);
  runtime.command('info').description('one runtime in full').argument('<id>').action(info);
  runtime
    .command('check')
    .description('whether a runtime can run here: exit code 0, else 127')
    .argument('<id>')
    .action(async (id: string) => exit(await check(id)));
  runtime
    .command('detect')
    .description('what would run a file, and why')
    .argument('<file>')
    .action(async (file: string) => exit(await explainFile(file)));
}

async function list(): Promise<void> {
  const described = await Promise.all(runtimes.map((runtime) => describeRuntime(runtime, place())));
  const rows = described.map((row) => [
    row.id,
    row.status,
    row.version ?? '',
    row.extensions.join(' '),
    row.file ?? row.source ?? '',
  ]);
  await write(table([['RUNTIME', 'STATUS', 'VERSION', 'EXTENSIONS', 'FOUND'], ...rows]));
}

async function info(id: string): Promise<void> {
  const described: RuntimeDescription = await describeRuntime(runtimeById(id), place());
  const rows = Object.entries(described).map(([name, value]) => [name, Array.isArray(value) ? value.join(' ') : String(value)]);
  await write(table(rows));
}

async function check(id: string): Promise<number> {
  const { status, file, version, hint } = await describeRuntime(runtimeById(id), place());
  if (status === 'ok') {
    await write(`${id}: ok${version ? `, version ${version}` : ''}${file ? ` (${file})` : ''}\n`);
    return 0;
  }
  await write(`prisn: ${id}: ${status.replace('_', ' ')}; ${hint}\n`, 2);
  return exitCodes.notFound;
}

async function explainFile(file: string): Promise<number> {
  const { runtime, how } = detect(file, readHead(file), place());
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
