/** `prisn backup` and `prisn restore`: everything that is stored, to a file and back, while the server runs. */
import type { Command } from './command.ts';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errnoOf, messageOf, PrisnError } from '../base/error.ts';
import { write } from './output.ts';
import { canAsk, ask } from './prompt.ts';
import { open as connect, serverWideCommand, type RemoteOptions } from './remote.ts';
import { say } from './say.ts';

interface BackupOptions extends RemoteOptions {
  readonly withKey?: boolean;
  readonly force?: boolean;
}

interface RestoreOptions extends RemoteOptions {
  readonly force?: boolean;
  readonly yes?: boolean;
}

export function backupCommand(program: Command): void {
  serverWideCommand(
    program
      .command('backup')
      .description('write everything that is stored into a file')
      .argument('<file>', 'a gzipped tar; - is stdout')
      .option('--with-key', 'with the key that opens the secrets: who has the file can read them')
      .option('--force', 'replace a file that is there'),
    ['prisn backup prisn-today.tar.gz'],
  ).action(backup);
}

export function restoreCommand(program: Command): void {
  serverWideCommand(
    program
      .command('restore')
      .description('put a backup in the place of everything that is stored')
      .argument('<file>', 'what prisn backup wrote; - is stdin')
      .option('--force', 'also when there is something stored, which is lost then')
      .option('--yes', 'without asking'),
    ['prisn restore prisn-today.tar.gz', 'prisn restore prisn-today.tar.gz --force --yes'],
  ).action(restore);
}

async function backup(file: string, options: BackupOptions): Promise<void> {
  const { withKey = false, force = false } = options;
  if (file !== '-' && !force && (await exists(file)))
    throw new PrisnError('conflict', `${file} is there already; name another file, or replace it with --force`);
  const client = await connect(options);
  const bytes = client.stream('backup', { query: { key: withKey } });
  if (file === '-') {
    for await (const chunk of bytes) await write(chunk);
  } else await writeWhole(file, bytes);
  const left = withKey
    ? 'with the key of the secrets: keep it as safe as them'
    : 'without the key of the secrets: keep that apart';
  say(`${file === '-' ? 'the backup is' : `wrote ${file},`} ${left}; the work folders of deployments are not in it`);
}

/** The file appears whole, or not at all. */
async function writeWhole(file: string, bytes: AsyncIterable<Buffer>): Promise<void> {
  const draft = `${file}.part`;
  try {
    await pipeline(Readable.from(bytes), createWriteStream(draft, { mode: 0o600, flush: true }));
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof PrisnError) throw error;
    const why = errnoOf(error) === 'ENOENT' ? `there is no folder ${dirname(resolve(file))}; make it first` : messageOf(error);
    throw new PrisnError(errnoOf(error) === 'ENOSPC' ? 'storage_full' : 'usage', `cannot write ${file}: ${why}`, {
      cause: error,
    });
  }
}

async function restore(file: string, options: RestoreOptions): Promise<void> {
  const { force = false } = options;
  const upload = await source(file);
  if (force) await confirm(options);
  const client = await connect(options);
  const { records } = await client.call('restore', { query: { force }, upload });
  await write(`restored ${records} records; what was Pending in the backup runs now\n`);
}

async function source(file: string): Promise<Readable> {
  if (file === '-') return process.stdin;
  try {
    return createReadStream('', { fd: await open(file) });
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(error)}`;
    throw new PrisnError('usage', `'${file}' ${why}`, { cause: error });
  }
}

async function confirm({ yes = false }: RestoreOptions): Promise<void> {
  if (yes) return;
  const what = 'this ends what runs, and replaces everything that is stored';
  if (!canAsk()) throw new PrisnError('usage', `${what}, and nobody can be asked here; say that you mean it with --yes`);
  const answer = await ask(`${what}. Type yes to go on: `);
  if (answer?.trim() !== 'yes') throw new PrisnError('usage', 'nothing was restored');
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
