/**
 * What a user may say of a deployment, checked and made into what is stored. The contract of the API has checked types,
 * ranges of numbers and unknown fields before; what is left are the rules between fields and those that need words.
 */
import { PrisnError } from '../base/error.ts';
import { parseDuration } from '../base/units.ts';
import type { DeploymentSpec, DeploymentType } from '../model/deployment.ts';
import type { Resources, SecretReference } from '../model/execution.ts';
import { checkApart, checkVariables } from './variables.ts';

/** A whole deployment, as it is created or replaced. */
export interface DeploymentFields {
  /** The code itself; needs `runtime`. */
  readonly source?: string;
  /** Id of an upload; needs `entrypoint`. */
  readonly bundle?: string;
  readonly entrypoint?: string;
  readonly type?: DeploymentType;
  readonly runtime?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly secrets?: readonly SecretReference[];
  readonly port?: number;
  readonly replicas?: number;
  readonly schedule?: string;
  readonly timezone?: string;
  readonly concurrency?: number;
  readonly reuse?: boolean;
  readonly overlap?: string;
  readonly missed?: string;
  readonly timeout?: string;
  readonly retries?: number;
  readonly resources?: Resources & { readonly disk_mb?: number };
  readonly health_check?: { readonly path: string; readonly interval?: string; readonly timeout?: string };
  readonly expose?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

type Nullable = Readonly<Record<string, string | null>>;

/** Changes of a deployment: what is not given stays, a value of null removes that variable or label. */
export interface DeploymentChanges extends Omit<DeploymentFields, 'env' | 'labels'> {
  readonly env?: Nullable;
  readonly labels?: Nullable;
}

/** The part of a spec that is configuration, not code. */
export type Configuration = Omit<DeploymentSpec, 'bundle' | 'entrypoint' | 'runtime' | 'chosen_runtime'>;

const labelKeyForm = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;

/**
 * @param present the type of the deployment that is there by that name
 * @param base what the changes are made to; without it the fields are all there is
 * @throws PrisnError `usage` naming the field, `unsupported` for what this version cannot do
 */
export function configurationOf(fields: DeploymentChanges, present?: DeploymentType, base?: DeploymentSpec): Configuration {
  checkForm(fields);
  const type = typeOf(fields, base);
  refuseUnsupported(fields, type);
  if (present !== undefined && type !== present)
    throw new PrisnError(
      'usage',
      `type: there is a ${present} by that name, which cannot become a ${type}; choose another name for the ${type}, ` +
        `or delete the ${present} first, which removes its PRISN_DATA too`,
    );
  const timeout_ms = fields.timeout === undefined ? base?.timeout_ms : parseDuration(fields.timeout, 'timeout');
  const concurrency = fields.concurrency ?? base?.concurrency;
  const reuse = fields.reuse ?? base?.reuse ?? false;
  const resources = { ...base?.resources, ...fields.resources };
  const env = merged(base?.env, fields.env);
  const secrets = fields.secrets ?? base?.secrets ?? [];
  checkApart(env, secrets);
  return {
    type,
    args: fields.args ?? base?.args ?? [],
    env,
    secrets,
    retries: fields.retries ?? base?.retries ?? 0,
    labels: merged(base?.labels, fields.labels),
    ...(timeout_ms !== undefined && { timeout_ms }),
    ...(concurrency !== undefined && { concurrency }),
    ...(reuse && { reuse }),
    ...(Object.keys(resources).length > 0 && { resources }),
  };
}

/** A port makes a service, a schedule a cronjob, neither a job. */
function typeOf({ port, schedule, type }: DeploymentChanges, base: DeploymentSpec | undefined): DeploymentType {
  if (port !== undefined && schedule !== undefined)
    throw new PrisnError(
      'usage',
      'port and schedule exclude each other: a port makes a service, which runs all the time, a schedule makes a job that runs at its times; deploy two',
    );
  const derived = port !== undefined ? 'service' : schedule !== undefined ? 'cronjob' : undefined;
  if (type !== undefined && derived !== undefined && type !== derived)
    throw new PrisnError(
      'usage',
      `type: a ${type} has no ${port === undefined ? 'schedule' : 'port'}; with it, it is a ${derived}`,
    );
  return derived ?? type ?? base?.type ?? 'job';
}

function checkForm(fields: DeploymentChanges): void {
  for (const [i, arg] of (fields.args ?? []).entries())
    if (arg.includes('\0'))
      throw new PrisnError('usage', `args: number ${i + 1} contains a NUL byte, which no program can receive`);
  checkVariables(given(fields.env), fields.secrets ?? []);
  for (const [key, value] of Object.entries(given(fields.labels))) checkLabel(key, value);
  const { interval, timeout } = fields.health_check ?? {};
  if (interval !== undefined) parseDuration(interval, 'health_check.interval');
  if (timeout !== undefined) parseDuration(timeout, 'health_check.timeout');
}

function checkLabel(key: string, value: string): void {
  if (!labelKeyForm.test(key))
    throw new PrisnError(
      'usage',
      `labels: ${JSON.stringify(key.slice(0, 80))} is not a key; letters, digits and . _ / -, at most 63, a letter or digit first`,
    );
  if (value.length > 255 || /[\0-\x1f\x7f]/.test(value))
    throw new PrisnError('usage', `labels: the value of ${key} is longer than 255 characters or has a control character`);
}

/** What later versions will do. */
function refuseUnsupported(fields: DeploymentChanges, type: DeploymentType): void {
  if (fields.resources?.disk_mb !== undefined)
    throw new PrisnError('usage', 'resources.disk_mb: the size of a directory cannot be limited here; leave it out');
  const ofServices = ['port', 'replicas', 'health_check', 'expose'] as const;
  const ofSchedules = ['schedule', 'timezone', 'overlap', 'missed'] as const;
  const field =
    [...ofServices, ...ofSchedules].find((name) => fields[name] !== undefined) ?? (type === 'job' ? undefined : 'type');
  if (field !== undefined)
    throw new PrisnError(
      'usage',
      `${field}: services and schedules are not part of this version of prisn, only jobs; without ${field} it is a job, which runs when it is triggered`,
    );
}

function merged(base: Readonly<Record<string, string>> | undefined, changes: Nullable | undefined): Record<string, string> {
  return given({ ...base, ...changes });
}

function given(values: Nullable = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null));
}
