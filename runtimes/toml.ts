/** TOML as the file of a runtime is written in, and the lines on which its keys stand. */
import { parse, TomlError } from 'smol-toml';

/** @returns the data, or the line that is no TOML and why; lines from 1 */
export function parseToml(
  text: string,
): { readonly data: Readonly<Record<string, unknown>> } | { readonly line: number; readonly message: string } {
  try {
    return { data: parse(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [message = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    return { line: error.line, message };
  }
}

/**
 * The line on which a key is written. The parser tells no positions, but what it accepts: a statement begins after the
 * last lines that are whole without it, and ends with the first that hold its key.
 * @param text valid TOML
 * @param path keys from the top
 * @returns undefined where the key is not written, so also for an empty path
 */
export function lineOf(text: string, path: readonly string[]): number | undefined {
  if (path.length === 0) return undefined;
  // A lone carriage return is no TOML.
  const lines = text.split(/\r?\n/);
  let whole = 0;
  for (let end = 1; end <= lines.length; end++) {
    const parsed = parseToml(lines.slice(0, end).join('\n'));
    if ('line' in parsed) continue;
    if (holds(parsed.data, path)) return whole + 1;
    whole = end;
  }
  return undefined;
}

function holds(data: unknown, path: readonly string[]): boolean {
  const [key, ...below] = path;
  if (key === undefined) return true;
  return (
    typeof data === 'object' && data !== null && Object.hasOwn(data, key) && holds((data as Record<string, unknown>)[key], below)
  );
}
