/** `prisn secret`: values that are sealed on the server and put into variables of deployments. They are never shown. */
import type { Command } from './command.ts';
import type { Input, ShownSecret } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import type { Client } from '../client/client.ts';
import { checkName } from '../model/name.ts';
import { show } from './get.ts';
import { kindOf } from './kinds.ts';
import { type Format, outputOption, printResult, resultOutput, type ResultFormat, write } from './output.ts';
import { confirmByName } from './prompt.ts';
import { open, remoteCommand, type RemoteOptions, repeatable } from './remote.ts';
import { secretView } from './views.ts';

type Value = Pick<Input<'createSecret'>['body'], 'value' | 'data'>;

interface WriteOptions extends RemoteOptions {
  readonly value?: string;
  readonly fromFile?: string;
  readonly data?: readonly string[];
  readonly output?: ResultFormat;
}

export function secretCommand(program: Command): void {
  const secret = program.command('secret').description('values for deployments, sealed on the server and never shown');
  writing(secret.command('create'), 'create a secret', [
    'prisn secret create db-password                        asks for the value',
    'prisn secret create db-password --from-file pw.txt',
    'pass show db | prisn secret create db-password',
    'prisn secret create smtp --data user=ada --data password=s3cret',
    'prisn deploy api.py --secret db-password:DATABASE_PASSWORD',
  ]).action(async (name: string, options: WriteOptions) => {
    checkName(name, 'the name of the secret');
    const { readValue } = await import('./secret-value.ts');
    const value = await readValue(name, options);
    const client = await open(options);
    const made = await create(client, name, value, options);
    await printResult(
      secretView,
      made,
      options.output,
      `${name}: created; deploy with --secret ${name}${firstKey(made)}:VARIABLE`,
    );
  });
  writing(secret.command('rotate'), 'give a secret a new value; what starts from now on gets it', [
    'prisn secret rotate db-password                        asks for the value',
    'openssl rand -hex 32 | prisn secret rotate api-key',
  ]).action(async (name: string, options: WriteOptions) => {
    const client = await open(options);
    const target = { params: { name }, query: { namespace: options.namespace } };
    // Before the value is asked for, and since a PUT would create it.
    await client.call('getSecret', target);
    const { readValue } = await import('./secret-value.ts');
    const made = await client.call('putSecret', { ...target, body: await readValue(name, options) });
    await printResult(secretView, made, options.output, `${name}: version ${made.version}`);
  });
  listing(secret.command('list'));
  deleting(secret.command('delete'));
}

function writing(command: Command, description: string, examples: readonly string[]): Command {
  command
    .summary(description)
    .description(`${description}. The value is taken from a flag, from standard input, or asked for`)
    .argument('<name>')
    .option('--value <value>', 'the value; it stays in the history of your shell')
    .option('--from-file <file>', 'the content of a file')
    .option('--data <key=value>', 'one of several values (repeatable)', repeatable)
    .addOption(resultOutput())
    .note(
      '\nOf a file or standard input with a single line, the newline at its end is no part\nof the value; several lines are kept as they are.',
    );
  return remoteCommand(command, examples);
}

async function create(client: Client, name: string, value: Value, { namespace }: WriteOptions): Promise<ShownSecret> {
  try {
    return await client.call('createSecret', { body: { name, ...(namespace !== undefined && { namespace }), ...value } });
  } catch (error) {
    if (!(error instanceof PrisnError) || error.code !== 'conflict') throw error;
    throw new PrisnError('conflict', `secret '${name}' exists already; prisn secret rotate ${name} gives it a new value`, {
      cause: error,
    });
  }
}

/** Of a secret with several values, a deployment names one. */
function firstKey({ keys }: ShownSecret): string {
  return keys.length > 1 ? `.${keys[0]}` : '';
}

function listing(command: Command): void {
  command.description('list secrets, without their values').addOption(outputOption());
  remoteCommand(command, ['prisn secret list', 'prisn secret list -o name']).action(
    async ({ output, ...options }: RemoteOptions & { readonly output: Format }) => {
      const client = await open(options);
      const secrets = kindOf('secrets');
      await show(secrets, await secrets.list(client, { ...options, limit: 1000 }), [], { output, headers: true });
    },
  );
}

interface DeleteOptions extends RemoteOptions {
  readonly yes?: boolean;
}

function deleting(command: Command): void {
  command.description('delete a secret').argument('<name>').option('-y, --yes', 'do not ask for its name');
  remoteCommand(command, ['prisn secret delete db-password', 'prisn secret delete db-password --yes']).action(
    async (name: string, options: DeleteOptions) => {
      const client = await open(options);
      const target = { params: { name }, query: { namespace: options.namespace } };
      await client.call('getSecret', target);
      await confirmByName(`deleting secret '${name}'`, name, options.yes === true);
      await client.call('deleteSecret', target);
      await write(`${name} deleted\n`);
    },
  );
}
