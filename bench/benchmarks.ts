import { benchAccuracy } from './bench-accuracy.ts';
import { cliStart } from './cli-start.ts';
import { environment } from './environment.ts';
import { executions } from './executions.ts';
import { idle } from './idle.ts';
import { fn } from './fn.ts';
import { isolateCold } from './isolate-cold.ts';
import { isolateVariants } from './isolate-variants.ts';
import { isolateWarm } from './isolate-warm.ts';
import { lightTasks } from './light-tasks.ts';
import { runStart } from './run-start.ts';
import { store } from './store.ts';

export const benchmarks: Readonly<Record<string, () => void | Promise<void>>> = {
  'run-start': runStart,
  'cli-start': cliStart,
  'isolate-cold': isolateCold,
  'isolate-warm': isolateWarm,
  'isolate-variants': isolateVariants,
  environment,
  executions,
  'light-tasks': lightTasks,
  idle,
  fn,
  'bench-accuracy': benchAccuracy,
  store,
};
