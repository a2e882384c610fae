/** What is the server's own: uploads, runtimes, machines, and all that is stored. */
import { Type } from 'typebox';
import { exactly, idParam, list, maybe, oneOf, text, time } from './forms.ts';

const runtime = exactly({
  id: text(),
  name: text(),
  kind: oneOf(['isolate', 'process'] as const),
  extensions: Type.Array(text()),
  status: text('ok, missing or too old'),
  version: maybe(text()),
  path: maybe(text()),
  hint: maybe(text('how to install it')),
});
const node = exactly({
  id: text(),
  hostname: text(),
  cores: Type.Integer(),
  version: text(),
  started_at: time,
  running: Type.Integer(),
  pending: Type.Integer(),
  foreground_runs: Type.Integer({ description: 'runs of the command line in isolates of the server' }),
});

export const serverSchemas = {
  uploadBundle: {
    reply: {
      200: exactly({ id: text('its content hash'), bytes: Type.Integer({ description: 'of all files' }) }),
      201: exactly({ id: text('its content hash'), bytes: Type.Integer({ description: 'of all files' }) }),
    },
  },
  getBundle: { params: idParam, reply: { 200: null } },
  listRuntimes: { reply: { 200: list(runtime) } },
  listNodes: { reply: { 200: list(node) } },
  verify: { reply: { 200: exactly({ records: Type.Integer(), problems: Type.Array(text('what is damaged or missing')) }) } },
  backup: {
    query: exactly({ key: maybe(Type.Boolean({ description: 'with the key that opens the secrets' })) }),
    reply: { 200: null },
  },
  restore: { query: exactly({ force: maybe(Type.Boolean()) }), reply: { 200: exactly({ records: Type.Integer() }) } },
} as const;
