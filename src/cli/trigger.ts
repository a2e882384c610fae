/** `prisn trigger`: runs a deployment, in the background or with its output here. */
import { type Command, Option } from './command.ts';
import { buffer } from 'node:stream/consumers';
import type { Input } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { parseDuration } from '../base/units.ts';
import type { Client } from '../client/client.ts';
import { checkInput, variables } from './assignments.ts';
import { failureCode } from './execution-end.ts';
import { printResult, resultOutput, type ResultFormat } from './output.ts';
import { checkDeploymentName, open, remoteCommand, type RemoteOptions, repeatable, sameTarget } from './remote.ts';
import { textOf } from './utf8.ts';
import { executionView } from './views.ts';

interface TriggerOptions extends RemoteOptions {
  readonly wait?: string | true;
  readonly detach?: boolean;
  readonly env?: readonly string[];
  readonly input?: string;
  readonly arg?: readonly string[];
  readonly stdin?: boolean;
  readonly timeout?: string;
  readonly idempotencyKey?: string;
  readonly output?: ResultFormat;
}

export function triggerCommand(program: Command, exit: (code: number) => void): void {
  const command = program
    .command('trigger')
    .usage('<deployment> [options]')
    .summary('run a deployment; prints an id, or with --wait the output')
    .description('run a deployment; prints the id of the execution, or with --wait its output')
    .argument('[deployment]', 'name or id of a job')
    .option('--wait [time]', 'show its output and give its exit code; =30s waits that long at most (exit code 124)')
    .addOption(new Option('-d, --detach', 'print the id at once (the default)').conflicts('wait'))
    .option('-e, --env <KEY=VALUE>', 'add a variable for this run (repeatable)', repeatable)
    .option('--input <json>', 'call its default export with this value')
    .option('--arg <value>', 'an argument, after the deployed ones (repeatable)', repeatable)
    .option('--stdin', 'hand standard input on to it')
    .option('--timeout <duration>', 'end it after this time, in the place of the deployed one')
    .option('--idempotency-key <key>', 'run once, however often this is sent with the same key')
    .addOption(resultOutput());
  remoteCommand(command, [
    'prisn trigger backup-job',
    'prisn trigger backup-job --wait -e LEVEL=debug',
    `prisn trigger greet --wait=30s --input '{"name": "Ada"}'`,
    'prisn logs -f $(prisn trigger backup-job)',
  ]).action(async (word: string | undefined, options: TriggerOptions) => {
    const { name, wait } = target(word, options.wait);
    checkDeploymentName(name, 'trigger');
    if (wait === undefined) return detached(name, options);
    if (options.output !== undefined) throw new PrisnError('usage', '--wait shows the output of the program; leave out -o');
    const maxMs = wait === true ? undefined : parseDuration(wait, '--wait');
    exit(await attached(await bodyOf(name, options), options, maxMs));
  });
}

/**
 * In `--wait backup-job` the name stands where a time could.
 * @throws PrisnError `usage` when no deployment is named
 */
function target(word: string | undefined, wait: string | true | undefined): { name: string; wait: string | true | undefined } {
  if (word !== undefined) return { name: word, wait };
  if (typeof wait === 'string') return { name: wait, wait: true };
  throw new PrisnError('usage', 'trigger what? name a deployment: prisn trigger <deployment>');
}

async function detached(name: string, options: TriggerOptions): Promise<void> {
  const body = await bodyOf(name, options);
  const client = await open(options);
  const execution = await create(client, body, options);
  await printResult(executionView, execution, options.output, execution.id);
}

/** @returns the exit code */
async function attached(body: ExecutionBody, options: TriggerOptions, maxMs: number | undefined): Promise<number> {
  const { attend } = await import('./attend.ts');
  const client = await open(options);
  const { id } = await create(client, body, options);
  // From here on the exit code is the program's.
  return attend(client, id, { where: sameTarget(options), ...(maxMs !== undefined && { maxMs }) }).catch(failureCode);
}

type ExecutionBody = Input<'createExecution'>['body'] & { deployment_id: string };

async function bodyOf(name: string, options: TriggerOptions): Promise<ExecutionBody> {
  const { namespace, timeout, arg } = options;
  if (timeout !== undefined) parseDuration(timeout, '--timeout');
  if (options.input !== undefined) checkInput(options.input);
  const env = variables(options.env ?? []);
  return {
    deployment_id: name,
    trigger: 'cli',
    ...(namespace !== undefined && { namespace }),
    ...(Object.keys(env).length > 0 && { env }),
    ...(arg !== undefined && { args: [...arg] }),
    ...(timeout !== undefined && { timeout }),
    ...(options.stdin && { stdin: textOf(await buffer(process.stdin), '--stdin: standard input') }),
  };
}

function create(client: Client, body: ExecutionBody, options: TriggerOptions) {
  const { idempotencyKey, input } = options;
  const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
  return client.call('createExecution', { body, headers, ...(input !== undefined && { texts: { input } }) });
}
