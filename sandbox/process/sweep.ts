/** Entry of the process that the guard becomes: reads one tree a line from stdin and ends them all. */
import { readFileSync } from 'node:fs';
import { removeCgroups } from './cgroup.ts';
import type { TreeSpec } from '../proc.ts';
import { Tree } from './tree.ts';

const specs = readFileSync(0, 'utf8').split('\n').filter(Boolean);
await Promise.all(
  specs.map(async (line) => {
    const spec = JSON.parse(line) as TreeSpec;
    await new Tree(spec).kill();
    removeCgroups(spec.cgroups);
  }),
);
