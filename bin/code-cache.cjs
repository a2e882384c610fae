/**
 * Runs a bundle of the CLI with the given command lines, one after the other, and keeps V8's code for what they ran:
 * `node code-cache.cjs <dist/prisn.cjs> <bundle> <JSON: [[words, environment], …]>`.
 */
const { writeFileSync } = require('node:fs');
const { dirname } = require('node:path');

const [entry, bundle, lines] = process.argv.slice(2);
const { scriptOf, codeFile } = require(entry);

async function main() {
  const script = scriptOf(bundle);
  const { exit } = process;
  for (const [words, env] of JSON.parse(lines)) {
    Object.assign(process.env, env);
    process.argv = [process.execPath, entry, ...words];
    await new Promise((resolve) => {
      process.exit = resolve;
      const module = { exports: {} };
      script.runInThisContext()(module.exports, require, module, bundle, dirname(bundle));
    });
  }
  writeFileSync(codeFile(bundle), script.createCachedData());
  exit(0);
}

void main();
