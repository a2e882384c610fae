/** Names of deployments, secrets, namespaces: one form for all, checked where they come in. */
import { PrisnError } from '../base/error.ts';

/** Regular expression, for schemas too. */
export const nameForm = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';
export const envKeyForm = '^[A-Za-z_][A-Za-z0-9_]*$';

const name = new RegExp(nameForm);
const envKey = new RegExp(envKeyForm);
const idLike = /^(?:exec|dep)-/i;

/**
 * @param text what the user wrote
 * @param field the flag or field, for the message
 * @throws PrisnError `usage`
 */
export function checkName(text: string, field: string): string {
  if (!name.test(text))
    throw new PrisnError(
      'usage',
      `${field}: ${shown(text)} is not a name; letters, digits, - and _, at most 63, a letter or digit first`,
    );
  if (idLike.test(text)) throw new PrisnError('usage', `${field}: ${shown(text)} looks like an id; choose another name`);
  return text;
}

/** Whether the text is the id of a deployment, which no name can be. */
export function isDeploymentId(text: string): boolean {
  return text.startsWith('dep-');
}

/** Whether a variable can be called so. */
export function isEnvKey(text: string): boolean {
  return envKey.test(text);
}

/** @throws PrisnError `usage` */
export function checkEnvKeys(env: Readonly<Record<string, string>>, field: string): void {
  for (const [key, value] of Object.entries(env)) {
    if (!isEnvKey(key))
      throw new PrisnError(
        'usage',
        `${field}: ${shown(key)} is not the name of a variable; letters, digits and _, no digit first`,
      );
    if (key.startsWith('PRISN_'))
      throw new PrisnError(
        'usage',
        `${field}: ${shown(key)} is not yours to give, PRISN_… are set by prisn; choose another name`,
      );
    if (value.includes('\0')) throw new PrisnError('usage', `${field}: ${key} contains a NUL byte, which no program can receive`);
  }
}

/**
 * A legal name made of a file's: `my report.v2.py` → `my-report-v2`.
 * @returns undefined where nothing of it is left
 */
export function nameFrom(file: string): string | undefined {
  const base = file.replace(/^.*\//, '').replace(/(?<=.)\.[^.]*$/, '');
  const made = base
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[-_]+|-+$/g, '')
    .slice(0, 63);
  return name.test(made) && !idLike.test(made) ? made : undefined;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
