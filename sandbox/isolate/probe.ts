/** Whether isolates work here, found out by making one. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { isolateFlags } from './flags.ts';

/** @returns undefined when an isolate could be made, else what went wrong. In a child: a bad binary may crash it. */
export function probeIsolates(): string | undefined {
  const library = createRequire(import.meta.url).resolve('isolated-vm');
  const script = `new (require(${JSON.stringify(library)}).Isolate)().createContextSync().evalSync('1')`;
  const { status, signal, stderr } = spawnSync(process.execPath, [...isolateFlags(), '-e', script], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  if (status === 0) return undefined;
  const said = stderr.split('\n').find((line) => /Error/.test(line)) ?? `ended with ${signal ?? status}`;
  return `isolated-vm does not work with this Node (${said.trim()}); type npm install again where prisn is installed`;
}
