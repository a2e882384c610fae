/** The variables that a user gives to a deployment or an execution, as values and as secrets. */
import { PrisnError } from '../base/error.ts';
import type { SecretReference } from '../model/execution.ts';
import { checkEnvKeys, nameForm } from '../model/name.ts';

const secretName = new RegExp(nameForm);

/** @throws PrisnError `usage` for what is no variable, a name of prisn's own, or no reference to a secret */
export function checkVariables(env: Readonly<Record<string, string>>, secrets: readonly SecretReference[]): void {
  checkEnvKeys(env, 'env');
  for (const { name: reference, env: variable } of secrets) {
    const [name = '', ...key] = reference.split('.');
    if (!secretName.test(name) || key.includes(''))
      throw new PrisnError('usage', `secrets: ${JSON.stringify(reference)} is neither the name of a secret nor name.key`);
    checkEnvKeys({ [variable]: '' }, 'secrets');
    if (secrets.filter((other) => other.env === variable).length > 1)
      throw new PrisnError('usage', `secrets: ${variable} is given more than one secret`);
  }
}

/** @throws PrisnError `usage` for a variable with a value and a secret */
export function checkApart(env: Readonly<Record<string, string>>, secrets: readonly SecretReference[]): void {
  const twice = secrets.find((reference) => Object.hasOwn(env, reference.env));
  if (twice) throw new PrisnError('usage', `${twice.env} is given by env and by the secret ${twice.name}; leave one of them out`);
}
