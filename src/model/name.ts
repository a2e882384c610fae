/** Names that users give: deployments, namespaces, secrets, variables. */
import { PrisnError } from '../base/error.ts';

/** Of deployments, namespaces and secrets. */
export const namePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';
/** Of environment variables. */
export const variablePattern = '^[A-Za-z_][A-Za-z0-9_]*$';

export const defaultNamespace = 'default';

const idPattern = /^(?:exec|dep)-/;

/**
 * @param field where it stands, for the message
 * @throws PrisnError `usage` for what is no name, and for what looks like an id
 */
export function checkName(name: string, field: string): string {
  if (!new RegExp(namePattern).test(name))
    throw new PrisnError(
      'usage',
      `${field}: '${name}' is no name; 1 to 63 letters, digits, _ and -, beginning with a letter or digit`,
    );
  if (idPattern.test(name))
    throw new PrisnError('usage', `${field}: '${name}' looks like an id; a name may not begin with exec- or dep-`);
  return name;
}

/** Makes a legal name of a file's: `daily report.py` → `daily-report`. Undefined when nothing is left. */
export function nameOf(file: string): string | undefined {
  const stem = (file.split('/').at(-1) ?? '').replace(/(?<=.)\.[^.]*$/, '');
  const name = stem
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 63);
  return name === '' || idPattern.test(name) ? undefined : name;
}
