/** What the schemas of all resources are made of. Every object refuses unknown fields by name. */
import { Type, type TSchema } from 'typebox';
import { envKeyForm } from '../../model/name.ts';

export function exactly<const Fields extends Record<string, TSchema>>(fields: Fields, options: { description?: string } = {}) {
  return Type.Object(fields, { additionalProperties: false, ...options });
}

export function oneOf<const Words extends readonly string[]>(words: Words, options: { description?: string } = {}) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], ...options });
}

export const maybe = Type.Optional;
export const text = (description?: string) => Type.String(description === undefined ? {} : { description });
/** `30s 5m 1h 2d 250ms`; the form is checked where it is parsed, for a message that helps. */
export const duration = (description: string) => Type.String({ description: `${description}; such as 250ms, 30s, 5m, 1h or 2d` });
export const time = Type.String({ format: 'date-time', description: 'RFC 3339 with milliseconds' });
export const anyJson = Type.Unsafe<unknown>({ description: 'any JSON value' });

export const namespaceQuery = { namespace: maybe(text('default without')) };
export const page = {
  limit: maybe(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  offset: maybe(Type.Integer({ minimum: 0, default: 0 })),
};
export const nameParam = Type.Object({ name: text('name or id') });
export const idParam = Type.Object({ id: text() });

export const env = Type.Record(Type.String({ pattern: envKeyForm }), Type.String(), {
  additionalProperties: false,
  description: 'variables by name',
});
export const secretReference = exactly({
  name: text('of the secret, or name.key for one of its values'),
  env: text('the variable that holds it'),
});
export const resources = exactly({
  memory_mb: maybe(Type.Integer({ minimum: 16, maximum: 65_536 })),
  cpu: maybe(Type.Number({ exclusiveMinimum: 0, maximum: 9999 })),
  pids: maybe(Type.Integer({ minimum: 1, maximum: 4_194_304 })),
  disk_mb: maybe(Type.Integer({ minimum: 1 })),
});
export const words = Type.Record(Type.String(), Type.String(), { additionalProperties: false });

export function list<Item extends TSchema>(items: Item) {
  return exactly({
    items: Type.Array(items),
    count: Type.Integer({ description: 'of items' }),
    total: Type.Integer({ description: 'of all that the filter lets through' }),
    limit: Type.Integer(),
    offset: Type.Integer(),
    next_cursor: maybe(text('for the next page, when there is one')),
  });
}

export const logQuery = {
  follow: maybe(Type.Boolean()),
  tail: maybe(Type.Integer({ minimum: 0 })),
  since: maybe(text('RFC 3339, or a duration back from now')),
  stream: maybe(oneOf(['stdout', 'stderr'] as const)),
};
