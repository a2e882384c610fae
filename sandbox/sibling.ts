import { fileURLToPath } from 'node:url';

/**
 * The path of the module `name` beside the one with this URL: `.ts` from source, `.js` in `dist`.
 * @param url `import.meta.url` of the caller
 */
export function siblingPath(url: string, name: string): string {
  return fileURLToPath(new URL(`./${name}${url.slice(url.lastIndexOf('.'))}`, url));
}
