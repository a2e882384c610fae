/** What differs between two revisions of a deployment, as `diff` and `history` tell it. */
import type { ShownDeployment } from '../api/contract/schemas.ts';
import { formatDuration } from '../base/units.ts';
import { shortHash } from './views.ts';

export interface Difference {
  readonly field: string;
  /** Undefined where it was not set. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

type Settings = Readonly<Record<string, string | undefined>>;

/** Every value of a revision's configuration by a name for people (`env LEVEL`, `timeout`), in groups that stay together. */
function settingsOf(revision: ShownDeployment): readonly Settings[] {
  const { timeout_ms: timeoutMs, args = [], env = {}, secrets = [], labels = {}, resources = {} } = revision;
  const named = (word: string, values: Readonly<Record<string, string>>): Settings =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [`${word} ${key}`, value]));
  return [
    {
      source: shortHash(revision.source_hash),
      entrypoint: revision.entrypoint,
      runtime: revision.runtime,
      args: args.length === 0 ? undefined : JSON.stringify(args),
      timeout: timeoutMs === undefined ? undefined : formatDuration(timeoutMs),
      retries: revision.retries?.toString(),
      concurrency: revision.concurrency?.toString(),
      reuse: revision.reuse?.toString(),
    },
    Object.fromEntries(Object.entries(resources).map(([key, value]) => [key, String(value)])),
    named('env', env),
    named('secret in', Object.fromEntries(secrets.map(({ name, env: variable }) => [variable, name]))),
    named('label', labels),
  ];
}

export function differences(before: ShownDeployment, after: ShownDeployment): Difference[] {
  const present = settingsOf(after);
  return settingsOf(before).flatMap((old, group) => {
    const now = present[group] ?? {};
    return [...new Set([...Object.keys(old), ...Object.keys(now)])]
      .map((field) => ({ field, before: old[field], after: now[field] }))
      .filter((difference) => difference.before !== difference.after);
  });
}
