/** Fields that many operations share, from their text to what the engine takes. */
import { PrisnError } from '../base/error.ts';
import { parseDuration } from '../base/units.ts';
import { defaultNamespace } from '../model/access.ts';
import { checkName, isDeploymentId } from '../model/name.ts';

/** @throws PrisnError `usage` */
export function namespaceOf({ namespace }: { readonly namespace?: string | undefined }): string {
  return namespace === undefined ? defaultNamespace : checkName(namespace, 'namespace');
}

/** A deployment's name or id, out of a path or a field. @throws PrisnError `usage` */
export function nameOrId(text: string, field: string): string {
  return isDeploymentId(text) ? text : checkName(text, field);
}

/** What `wait: true` means: nothing runs longer without a word. */
const longestWaitMs = 86_400_000;

/**
 * How long a caller wants to wait for an end.
 * @param wait yes or no, whole seconds, or a duration; of a query all of that as text
 * @returns ms, 0 for not at all @throws PrisnError `usage`
 */
export function waitMs(wait: boolean | number | string | undefined): number {
  if (wait === undefined || wait === false || wait === 'false') return 0;
  if (wait === true || wait === 'true' || wait === '') return longestWaitMs;
  const seconds = typeof wait === 'number' ? wait : /^\d{1,9}$/.test(wait) ? Number(wait) : undefined;
  return Math.min(seconds === undefined ? parseDuration(String(wait), 'wait') : seconds * 1000, longestWaitMs);
}

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;

/** @param since RFC 3339, or a duration back from now @returns ms since 1970 @throws PrisnError `usage` */
export function sinceMs(since: string, nowMs = Date.now()): number {
  // A + that was not encoded arrives as a space.
  const text = since.replace(' ', '+');
  const time = rfc3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  if (/^\d{4}-/.test(since))
    throw new PrisnError(
      'usage',
      `since: '${since}' is no RFC 3339 time; write it such as 2030-01-31T08:00:00Z, or a duration back`,
    );
  return nowMs - parseDuration(since, 'since');
}

export interface Page {
  readonly limit: number;
  readonly offset: number;
}

/** The defaults are the contract's. */
export function pageOf(query: { readonly limit?: number; readonly offset?: number }): Page {
  return { limit: query.limit ?? 100, offset: query.offset ?? 0 };
}

export interface List<Item> extends Page {
  items: Item[];
  count: number;
  total: number;
}

export function listOf<Item>(items: readonly Item[], total: number, page: Page): List<Item> {
  return { items: [...items], count: items.length, total, ...page };
}
