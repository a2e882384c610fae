/** The flags of `prisn deploy`, and what they say. What becomes of it on a name that is deployed already: `deploy-fields.ts`. */
import { type Command, Option } from './command.ts';
import type { Input } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { parseCores, parseDuration, parseMemory } from '../base/units.ts';
import type { SecretReference } from '../model/execution.ts';
import { envFile, labels, variables } from './assignments.ts';
import { repeatable, type RemoteOptions, wholeNumber } from './remote.ts';

type CreateFields = Input<'createDeployment'>['body'];

export interface DeployFlags extends RemoteOptions {
  readonly name?: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly secret?: readonly string[];
  readonly label?: readonly string[];
  readonly arg?: readonly string[];
  readonly runtime?: string;
  readonly entrypoint?: string;
  readonly timeout?: string;
  readonly retries?: number;
  readonly concurrency?: number;
  readonly reuse?: boolean;
  readonly memory?: string;
  readonly cpu?: string;
  readonly pids?: number;
  readonly port?: number;
  readonly replicas?: number;
  readonly schedule?: string;
  readonly timezone?: string;
  readonly overlap?: string;
  readonly missed?: string;
  readonly health?: string;
  readonly expose?: string;
  readonly reset?: boolean;
}

export function addDeployOptions(command: Command): Command {
  return command
    .option('--name <name>', "its name (default: made of the file's)")
    .option('-e, --env <KEY=VALUE>', 'set a variable (repeatable); -e KEY- removes one', repeatable)
    .option('--env-file <file>', 'set the variables of a file of KEY=VALUE lines (repeatable; -e wins)', repeatable)
    .option('--secret <name:VARIABLE>', 'put a secret into a variable (repeatable); --secret VARIABLE- removes one', repeatable)
    .option('--arg <value>', 'an argument of the program (repeatable)', repeatable)
    .option('--runtime <id>', 'run it with this runtime instead of finding one out')
    .option('--entrypoint <path>', 'the file of a folder that is run')
    .option('--timeout <duration>', 'end a run after this time, such as 30s or 5m')
    .option('--retries <n>', 'run it again after a failure, at most this often', wholeNumber('--retries', 0, 100))
    .option('--concurrency <n>', 'runs at once; the others wait', wholeNumber('--concurrency', 1, 10_000))
    .option('--reuse', 'keep the context of a run for the next, with its variables; --no-reuse for a fresh one each')
    .addOption(new Option('--no-reuse').hideHelp())
    .option('--memory <size>', 'end a run that uses more, such as 256mb')
    .option('--cpu <cores>', 'let a run use this many cores at most, such as 0.5')
    .option('--pids <n>', 'let a run have this many processes and threads at most', wholeNumber('--pids', 1, 4_194_304))
    .option('--label <key=value>', 'set a label (repeatable); --label key- removes one', repeatable)
    .option('--reset', 'start clean: what is not said now is not kept from before')
    .addOption(new Option('--port <port>').argParser(wholeNumber('--port', 1, 65_535)).hideHelp())
    .addOption(new Option('--replicas <n>').argParser(wholeNumber('--replicas', 0, 1000)).hideHelp())
    .addOption(new Option('--schedule <cron>').hideHelp())
    .addOption(new Option('--timezone <zone>').hideHelp())
    .addOption(new Option('--overlap <policy>').hideHelp())
    .addOption(new Option('--missed <policy>').hideHelp())
    .addOption(new Option('--health <path>').hideHelp())
    .addOption(new Option('--expose <address>').hideHelp());
}

/** What the flags say, before it is known what is deployed. */
export interface Said {
  /** Null removes. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string | null>>;
  readonly secrets: readonly SecretReference[];
  /** Variables, or names of secrets. */
  readonly removedSecrets: readonly string[];
  readonly resources: NonNullable<CreateFields['resources']>;
  /** Everything that is one value. */
  readonly plain: PlainFields;
}

export type PlainFields = Omit<CreateFields, 'name' | 'namespace' | 'env' | 'labels' | 'secrets' | 'resources'>;

/** @throws PrisnError `usage` that names the flag */
export function said(flags: DeployFlags): Said {
  if (flags.port !== undefined && flags.schedule !== undefined)
    throw new PrisnError(
      'usage',
      '--port makes a service, which always runs, and --schedule a job that starts by the clock; give one of them, or deploy twice under two names',
    );
  const { secrets, removed } = secretReferences(flags.secret ?? []);
  return {
    env: { ...Object.assign({}, ...(flags.envFile ?? []).map(envFile)), ...variables(flags.env ?? [], true) },
    labels: labels(flags.label ?? []),
    secrets,
    removedSecrets: removed,
    resources: resourcesOf(flags),
    plain: plainFields(flags),
  };
}

function plainFields(flags: DeployFlags): PlainFields {
  const { timeout, health } = flags;
  if (timeout !== undefined) parseDuration(timeout, '--timeout');
  const fields: { [Name in keyof PlainFields]: PlainFields[Name] | undefined } = {
    args: flags.arg && [...flags.arg],
    runtime: flags.runtime,
    timeout,
    retries: flags.retries,
    concurrency: flags.concurrency,
    reuse: flags.reuse,
    port: flags.port,
    replicas: flags.replicas,
    schedule: flags.schedule,
    timezone: flags.timezone,
    overlap: flags.overlap,
    missed: flags.missed,
    expose: flags.expose,
    health_check: health === undefined ? undefined : { path: health },
  };
  return defined(fields);
}

function resourcesOf({ memory, cpu, pids }: DeployFlags): Said['resources'] {
  return {
    ...(memory !== undefined && { memory_mb: Math.ceil(parseMemory(memory, '--memory') / 2 ** 20) }),
    ...(cpu !== undefined && { cpu: parseCores(cpu, '--cpu') }),
    ...(pids !== undefined && { pids }),
  };
}

function secretReferences(words: readonly string[]): { secrets: SecretReference[]; removed: string[] } {
  const byVariable = new Map<string, SecretReference>();
  const removed: string[] = [];
  for (const word of words) {
    const { name, env } = /^(?<name>[^:]+):(?<env>[A-Za-z_][A-Za-z0-9_]*)$/.exec(word)?.groups ?? {};
    if (name !== undefined && env !== undefined) byVariable.set(env, { name, env });
    else if (/^[^:]+-$/.test(word)) removed.push(word.slice(0, -1));
    else
      throw new PrisnError(
        'usage',
        `--secret: '${word}' is not name:VARIABLE; such as --secret db-password:DATABASE_PASSWORD (name.key:VARIABLE for one value of several)`,
      );
  }
  return { secrets: [...byVariable.values()], removed };
}

function defined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
