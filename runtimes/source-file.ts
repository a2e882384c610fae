import { runtimeById } from './index.ts';
import { javascript } from './javascript.ts';
import { node } from './node.ts';

/**
 * The name for the file of a program that came as text.
 * @param id of a runtime, or an alias
 * @throws PrisnError `no_runtime`
 */
export function sourceFileName(id: string): string {
  const runtime = runtimeById(id);
  // Node's own extension stands for CommonJS; what `.js` is, the text decides.
  const [extension = ''] = (runtime === node ? javascript : runtime).extensions;
  return `main${extension}`;
}
