import type { IsolateRuntime } from '../src/model/runtime.ts';

export const typescript: IsolateRuntime = {
  id: 'typescript',
  name: 'TypeScript in a V8 isolate',
  kind: 'isolate',
  aliases: ['ts'],
  extensions: ['.ts', '.mts', '.tsx'],
};
