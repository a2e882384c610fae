/**
 * From what the flags of `prisn deploy` say to the fields of the API.
 *
 * On a name that is deployed already, what is not said stays as it is: variables, secrets and labels one by one, everything
 * else as a whole. So a flag that names one of several (`-e`, `--secret`, `--label`, a limit) is merged, and `KEY-`
 * removes one.
 */
import type { Input, ShownDeployment } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { formatDuration, formatMemory } from '../base/units.ts';
import type { SecretReference } from '../model/execution.ts';
import type { PlainFields, Said } from './deploy-options.ts';

type WholeFields = PlainFields & Pick<Input<'createDeployment'>['body'], 'env' | 'labels' | 'secrets' | 'resources'>;
type PatchFields = Input<'patchDeployment'>['body'];

/** The fields of a deployment that is new, or replaced as a whole. */
export function wholeFields({ env, labels, secrets, resources, plain }: Said): WholeFields {
  return {
    ...plain,
    ...some('env', withoutNulls(env)),
    ...some('labels', withoutNulls(labels)),
    ...some('resources', resources),
    ...(secrets.length > 0 && { secrets: [...secrets] }),
  };
}

/** The fields that change what is deployed. @throws PrisnError `usage` for a secret to remove that it does not have */
export function changedFields(said: Said, before: ShownDeployment): PatchFields {
  const { env, labels, secrets, removedSecrets, resources, plain } = said;
  const missing = removedSecrets.find(
    (word) => !before.secrets?.some(({ name, env: variable }) => word === variable || word === name),
  );
  if (missing !== undefined)
    throw new PrisnError(
      'usage',
      `--secret ${missing}-: ${before.name} has no secret of that name, and none in a variable of that name`,
    );
  return {
    ...plain,
    ...some('env', env),
    ...some('labels', labels),
    ...(Object.keys(resources).length > 0 && { resources: { ...before.resources, ...resources } }),
    ...((secrets.length > 0 || removedSecrets.length > 0) && { secrets: [...keptSecrets(said, before), ...secrets] }),
  };
}

/** The flags that stay in force though they were not given now, as they would be written, without values of variables. */
export function keptFlags(said: Said, before: ShownDeployment): string[] {
  const { env, labels, plain } = said;
  const { timeout_ms: timeoutMs, retries = 0, concurrency, reuse, args = [] } = before;
  const values: [isKept: boolean, flag: string][] = [
    [timeoutMs !== undefined && plain.timeout === undefined, `--timeout ${formatDuration(timeoutMs ?? 0)}`],
    [retries > 0 && plain.retries === undefined, `--retries ${retries}`],
    [concurrency !== undefined && plain.concurrency === undefined, `--concurrency ${concurrency}`],
    [reuse === true && plain.reuse === undefined, '--reuse'],
    [args.length > 0 && plain.args === undefined, args.map((arg) => `--arg ${arg}`).join(' ')],
  ];
  const left = (had: object = {}, now: object): string[] => Object.keys(had).filter((key) => !(key in now));
  return [
    ...values.filter(([isKept]) => isKept).map(([, flag]) => flag),
    ...left(before.resources, said.resources).map((key) => limitFlag(key, before.resources ?? {})),
    ...left(before.env, env).map((key) => `-e ${key}`),
    ...keptSecrets(said, before).map(({ name, env: variable }) => `--secret ${name}:${variable}`),
    ...left(before.labels, labels).map((key) => `--label ${key}`),
  ];
}

function limitFlag(key: string, resources: Readonly<Record<string, number | undefined>>): string {
  const value = resources[key] ?? 0;
  return key === 'memory_mb' ? `--memory ${formatMemory(value * 2 ** 20)}` : `--${key} ${value}`;
}

function keptSecrets({ secrets, removedSecrets }: Said, before: ShownDeployment): SecretReference[] {
  const isSet = ({ env }: SecretReference): boolean => secrets.some((secret) => secret.env === env);
  const isRemoved = ({ name, env }: SecretReference): boolean => removedSecrets.includes(env) || removedSecrets.includes(name);
  return (before.secrets ?? []).filter((secret) => !isSet(secret) && !isRemoved(secret));
}

function some<Name extends string, Fields extends object>(name: Name, fields: Fields): { [N in Name]?: Fields } {
  return (Object.keys(fields).length > 0 ? { [name]: fields } : {}) as { [N in Name]?: Fields };
}

function withoutNulls(fields: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== null));
}
