/** Secrets, whose values go in and never come out. */
import { Type, type Static } from 'typebox';
import { exactly, list, maybe, nameParam, namespaceQuery, page, text, time, words } from './forms.ts';

const secretWrite = { value: maybe(text()), data: maybe(words) };
const secret = exactly({
  name: text(),
  namespace: text(),
  version: Type.Integer({ minimum: 1 }),
  keys: Type.Array(text()),
  created_at: time,
  updated_at: time,
});

export type ShownSecret = Static<typeof secret>;

export const secretSchemas = {
  listSecrets: { query: exactly({ ...namespaceQuery, ...page }), reply: { 200: list(secret) } },
  createSecret: { body: exactly({ name: text(), namespace: maybe(text()), ...secretWrite }), reply: { 201: secret } },
  getSecret: { params: nameParam, query: exactly(namespaceQuery), reply: { 200: secret } },
  putSecret: {
    params: nameParam,
    query: exactly(namespaceQuery),
    body: exactly({ namespace: maybe(text()), ...secretWrite }),
    reply: { 200: secret, 201: secret },
  },
  deleteSecret: { params: nameParam, query: exactly(namespaceQuery), reply: { 204: null } },
} as const;
