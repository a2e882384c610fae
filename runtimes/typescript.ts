import type { IsolateRuntime } from '../src/model/runtime.ts';
import { node } from './node.ts';

export const typescript: IsolateRuntime = {
  id: 'typescript',
  name: 'TypeScript in a V8 isolate',
  kind: 'isolate',
  aliases: ['ts'],
  extensions: ['.ts', '.mts', '.tsx'],
  manifests: node.manifests,
};
