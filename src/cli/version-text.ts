/** The version of this prisn. */
import { readFileSync } from 'node:fs';

export function versionText(): string {
  // Two levels up from the source, three from `dist`.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name: string;
        version: string;
      };
      if (name === 'prisn') return version;
    } catch {
      // the other one
    }
  }
  return 'unknown';
}
