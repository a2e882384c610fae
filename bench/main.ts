/** `npm run bench [-- name …] [-- --smoke]`: runs the benchmarks, each a question with its answer as a ratio. */
import { benchmarks } from './benchmarks.ts';

const names = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const unknown = names.find((name) => !(name in benchmarks));
if (unknown !== undefined) {
  console.error(`there is no benchmark '${unknown}'; there are: ${Object.keys(benchmarks).join(', ')}`);
  process.exit(2);
}
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (names.length > 0 && !names.includes(name)) continue;
  console.log(`\n# ${name}`);
  await benchmark();
}
