/** Lines of the server's log as people read them: `12:04:05.678 warn  what happened  key=value`. */

const standing = new Set(['level', 'time', 'msg', 'err']);

/** @param line JSON as pino writes it; anything else stays as it is */
export function readableLine(line: string): string {
  const fields = parse(line);
  if (!fields) return line;
  const { level, time, msg, err } = fields;
  const rest = Object.entries(fields)
    .filter(([name]) => !standing.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  const clock = String(time).slice(11, 23);
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${String(err.stack)}` : '';
  return `${clock} ${String(level).padEnd(5)} ${String(msg)}${rest && ` ${rest}`}${stack}`;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    return 'msg' in fields ? fields : undefined;
  } catch {
    return undefined;
  }
}
