/** `prisn deploy`: sends code up, and makes a deployment or a new revision of it. */
import type { Command } from './command.ts';
import type { ShownDeployment } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import type { Client } from '../client/client.ts';
import { changedFields, keptFlags, wholeFields } from './deploy-fields.ts';
import { addDeployOptions, type DeployFlags, said, type Said } from './deploy-options.ts';
import type { Source } from './deploy-source.ts';
import { printResult, resultOutput, type ResultFormat, write } from './output.ts';
import { open, remoteCommand, sameTarget } from './remote.ts';
import { deploymentView } from './views.ts';

interface DeployOptions extends DeployFlags {
  readonly output?: ResultFormat;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
}

export function deployCommand(program: Command): void {
  const command = program
    .command('deploy')
    .summary('deploy a file or a folder; again makes a new revision')
    .description('deploy a file or a folder, to be run on a trigger; again, to make a new revision')
    .argument('<path>', 'a program, which brings along what it imports, or a folder');
  addDeployOptions(command)
    .option('--dry-run', 'show what would go up, and send nothing')
    .option('-v, --verbose', 'name every file')
    .addOption(resultOutput());
  remoteCommand(command, [
    'prisn deploy backup.py --name backup-job',
    'prisn deploy ./report --entrypoint monthly.py --timeout 10m --retries 2',
    'prisn deploy sync.js -e LEVEL=debug --secret db-password:DATABASE_PASSWORD',
    'prisn deploy sync.js -e LEVEL-          again: all else stays as it is deployed',
  ]).action(deploy);
}

async function deploy(path: string, options: DeployOptions): Promise<void> {
  const { deploymentName, describeSource, sourceOf } = await import('./deploy-source.ts');
  const asked = said(options);
  const name = deploymentName(path, options.name);
  const source = await sourceOf(path, options.runtime);
  if (source.entrypoint !== undefined && options.entrypoint !== undefined)
    throw new PrisnError('usage', `--entrypoint chooses a file of a folder, and '${path}' is a file; leave it out`);
  const tell = (text: string): Promise<void> => write(text, options.output === undefined ? 1 : 2);
  await tell(describeSource(source, options.verbose === true));
  if (options.dryRun) {
    const { entrypointOf } = await import('./deploy-source.ts');
    const entrypoint = source.entrypoint ?? (await entrypointOf(source.packing, options.entrypoint, undefined));
    return tell(`${name} would run ${entrypoint}; nothing was sent\n`);
  }
  const client = await open(options);
  const { before, after } = await send(client, { name, source, asked }, options);
  const kept = before && !options.reset ? keptFlags(asked, before) : [];
  const sentences = [
    summary(before, after),
    ...(kept.length > 0 ? [`kept: ${kept.join(', ')}; --reset starts clean`] : []),
    nextStep(after, options),
  ];
  await printResult(deploymentView, after, options.output, sentences.join('\n'));
}

async function deployedAs(client: Client, name: string, { namespace }: DeployOptions): Promise<ShownDeployment | undefined> {
  try {
    return await client.call('getDeployment', { params: { name }, query: { namespace } });
  } catch (error) {
    if (error instanceof PrisnError && error.code === 'not_found') return undefined;
    throw error;
  }
}

interface Deploying {
  readonly name: string;
  readonly source: Source;
  readonly asked: Said;
}

/** How often it is tried when somebody else deploys the same name at the same moment. */
const attempts = 5;

async function send(
  client: Client,
  deploying: Deploying,
  options: DeployOptions,
): Promise<{ before: ShownDeployment | undefined; after: ShownDeployment }> {
  const { packStream } = await import('../bundles/pack.ts');
  let bundle: string | undefined;
  for (let attempt = 1; ; attempt++) {
    const before = await deployedAs(client, deploying.name, options);
    // Before the upload, since what is refused needs none.
    const store = await storing(client, deploying, before, options);
    bundle ??= (await client.call('uploadBundle', { upload: packStream(deploying.source.packing) })).id;
    try {
      return { before, after: await store(bundle) };
    } catch (error) {
      if (!(error instanceof PrisnError) || error.code !== 'conflict' || attempt === attempts) throw error;
    }
  }
}

/** @returns stores it, once its bundle is there */
async function storing(
  client: Client,
  { name, source, asked }: Deploying,
  before: ShownDeployment | undefined,
  { namespace, entrypoint, reset }: DeployOptions,
): Promise<(bundle: string) => Promise<ShownDeployment>> {
  const { entrypointOf } = await import('./deploy-source.ts');
  const deployed = reset ? undefined : before?.entrypoint;
  const code = { entrypoint: source.entrypoint ?? (await entrypointOf(source.packing, entrypoint, deployed)) };
  const target = { params: { name }, query: { namespace } };
  if (before && !reset) {
    const change = { ...changedFields(asked, before), ...code };
    return (bundle) => client.call('patchDeployment', { ...target, body: { ...change, bundle } });
  }
  const whole = { ...wholeFields(asked), ...code };
  if (before) return (bundle) => client.call('putDeployment', { ...target, body: { ...whole, bundle } });
  const named = { name, ...(namespace !== undefined && { namespace }), ...whole };
  return (bundle) => client.call('createDeployment', { body: { ...named, bundle } });
}

function summary(before: ShownDeployment | undefined, { name, type, runtime, revision, entrypoint }: ShownDeployment): string {
  if (!before) return `${name}: created (${type}, ${runtime})`;
  // It may be another program that only has the same name.
  const wasOther = before.entrypoint !== entrypoint || before.runtime !== runtime;
  return before.revision === revision
    ? `${name}: unchanged (revision ${revision})`
    : `${name}: updated to revision ${revision} (${type}, ${runtime})${wasOther ? `; it was ${before.entrypoint} (${before.runtime})` : ''}`;
}

function nextStep({ name, type }: ShownDeployment, options: DeployOptions): string {
  const target = `${name}${sameTarget(options)}`;
  return type === 'job' ? `run it: prisn trigger ${target} --wait` : `see it: prisn get apps ${target}`;
}
