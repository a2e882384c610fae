import type { IsolateRuntime } from '../src/model/runtime.ts';
import { node } from './node.ts';

export const javascript: IsolateRuntime = {
  id: 'javascript',
  name: 'JavaScript in a V8 isolate',
  kind: 'isolate',
  aliases: ['js'],
  extensions: ['.js', '.mjs', '.jsx'],
  manifests: node.manifests,
};
