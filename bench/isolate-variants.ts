/**
 * The ways to run a JavaScript file once when no daemon is alive, bare, each as a whole process: they decided that
 * `prisn run` holds the isolate itself (`sandbox/isolate/embedded.ts`).
 */
import { createRequire } from 'node:module';
import { report, timeCommands } from './measure.ts';

const library = JSON.stringify(createRequire(import.meta.url).resolve('isolated-vm'));
const isolate = `const ivm = require(${library}); const isolate = new ivm.Isolate(); const context = isolate.createContextSync();
context.global.setSync('log', new ivm.Callback((text) => { process.stdout.write(text + '\\n'); }));
isolate.compileScriptSync('log("hello")').runSync(context);`;
const child = (code: string): string =>
  `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(code)}], { stdio: 'inherit' }).on('exit', (code) => process.exit(code));`;

export function isolateVariants(): void {
  const node = (name: string, ...args: string[]) => ({ name, argv: [process.execPath, ...args] as [string, ...string[]] });
  const rows = timeCommands(
    [
      { name: 'true', argv: ['true'] },
      node('node', '-e', 'console.log("hello")'),
      node('isolate in this process', '-e', isolate),
      node('the same, --no-node-snapshot', '--no-node-snapshot', '-e', isolate),
      node('isolate in a child', '-e', child(isolate)),
      node('plain node as a child', '-e', child('console.log("hello")')),
    ],
    25,
  );
  report({ question: 'One JavaScript file, no daemon', baseline: 'node', rows, overhead: 'true' });
}
