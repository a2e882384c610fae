/**
 * The pool as `npm run build` made it, for suites that lose host after host: one from source bundles its prelude and strips the
 * types in each of its threads, which doubles what its start costs.
 */
import { join } from 'node:path';
import type * as source from '../../sandbox/isolate/pool.ts';
import { root } from '../prisn.ts';

const built = (await import(join(root, 'dist/sandbox/isolate/pool.js'))) as typeof source;

export type IsolatePool = source.IsolatePool;
export const IsolatePool = built.IsolatePool;
