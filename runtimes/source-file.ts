import type { Runtime } from '../src/model/runtime.ts';
import { bun } from './bun.ts';
import { deno } from './deno.ts';
import { javascript } from './javascript.ts';
import { node } from './node.ts';
import { typescript } from './typescript.ts';

/** The name for the file of a program that came as text. */
export function sourceFileName(runtime: Runtime): string {
  const [extension = ''] = speaks(runtime).extensions;
  return `main${extension}`;
}

/** Node's own extension stands for CommonJS; what `.js` is, the text decides. The others read TypeScript, which has both. */
function speaks(runtime: Runtime): Runtime {
  if (runtime === node) return javascript;
  return runtime === deno || runtime === bun ? typescript : runtime;
}
