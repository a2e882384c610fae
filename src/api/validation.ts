/**
 * Checks what comes in and shapes what goes out by the schemas of the contract.
 *
 * Fastify would do both with a compiler for all of JSON Schema, which takes 0.3 s of every start to load and to compile the
 * contract. The contract uses a dozen keywords: here each is a closure, made when the routes are, and each says by itself what
 * is wrong in words of the user. A keyword that is not known here stops the server from starting, rather than check nothing.
 */
import type { TSchema } from 'typebox';
import { nearest } from '../base/nearest.ts';

/** @returns what is wrong with the value at that path, if anything */
type Check = (value: unknown, path: string) => string | undefined;

interface Schema {
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object' | 'null';
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}

const checked = new Set(
  'type enum anyOf items properties patternProperties required additionalProperties minimum maximum exclusiveMinimum'.split(' '),
);
/** Words for readers; what the default is, the handler knows. */
const annotations = new Set(['description', 'default', 'format']);

/**
 * @param whole what the value is called as a whole, such as `the body`
 * @returns a function that says what is wrong with a value, if anything, naming the field
 * @throws TypeError for a keyword that it does not check
 */
export function checkOf(schema: TSchema, whole: string): (value: unknown) => string | undefined {
  const check = checkFor(schema);
  return (value) => check(value, '')?.replace(/^:/, `${whole}:`);
}

function checkFor(schema: Schema): Check {
  const unknown = Object.keys(schema).find((keyword) => !checked.has(keyword) && !annotations.has(keyword));
  if (unknown !== undefined) throw new TypeError(`the keyword ${unknown} is not checked`);
  if (schema.anyOf) return checkAlternatives(schema, schema.anyOf.map(checkFor));
  const checks = [checkType(schema), ...checkDetails(schema)];
  return (value, path) => {
    for (const check of checks) {
      const mistake = check(value, path);
      if (mistake !== undefined) return mistake;
    }
    return undefined;
  };
}

function checkAlternatives(schema: Schema, alternatives: readonly Check[]): Check {
  const expected = schema.description ?? schema.anyOf?.map(({ type = 'null' }) => kinds[type]).join(' or ');
  return (value, path) =>
    alternatives.some((check) => check(value, path) === undefined) ? undefined : `${path}: has to be ${expected}`;
}

const kinds = {
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  null: 'null',
} as const;

function checkType({ type }: Schema): Check {
  if (type === undefined) return () => undefined;
  return (value, path) => {
    const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
    if (found === type || (type === 'integer' && Number.isSafeInteger(value))) return undefined;
    // Text is shown where no secret belongs.
    const not =
      typeof value === 'string' || typeof value === 'number' ? (type === 'string' ? kinds.number : shown(value)) : kindOf(found);
    return `${path}: has to be ${kinds[type]}, not ${not}`;
  };
}

function kindOf(found: string): string {
  return kinds[found as keyof typeof kinds] ?? found;
}

function* checkDetails(schema: Schema): Generator<Check> {
  const { enum: words, items } = schema;
  if (words)
    yield (value, path) =>
      words.includes(value as string) ? undefined : `${path}: ${shown(value)} is none of ${words.join(', ')}`;
  if ((schema.minimum ?? schema.maximum ?? schema.exclusiveMinimum) !== undefined) yield checkRange(schema);
  if (schema.properties || schema.patternProperties) yield checkFields(schema);
  if (items) {
    const check = checkFor(items);
    yield (value, path) => firstOf(value as unknown[], (item, i) => check(item, `${path}[${i}]`));
  }
}

function checkRange({ minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity }: Schema): Check {
  const least = minimum > -Infinity ? `at least ${minimum}` : exclusiveMinimum > -Infinity ? `more than ${exclusiveMinimum}` : '';
  const most = maximum < Infinity ? `at most ${maximum}` : '';
  const range = [least, most].filter(Boolean).join(', ');
  return (value, path) => {
    const number = value as number;
    return number >= minimum && number <= maximum && number > exclusiveMinimum
      ? undefined
      : `${path}: ${number} is out of range; ${range}`;
  };
}

function checkFields({ properties = {}, patternProperties = {}, required = [], additionalProperties }: Schema): Check {
  const fields = new Map(Object.entries(properties).map(([name, schema]) => [name, checkFor(schema)]));
  const patterns = Object.entries(patternProperties).map(([form, schema]) => [new RegExp(form, 'u'), checkFor(schema)] as const);
  return (value, path) => {
    const object = value as Readonly<Record<string, unknown>>;
    const inside = (name: string): string => (path === '' ? name : `${path}.${name}`);
    const missing = required.find((name) => !Object.hasOwn(object, name));
    if (missing !== undefined) return `${inside(missing)}: is missing`;
    return firstOf(Object.keys(object), (name) => {
      const check = fields.get(name) ?? patterns.find(([form]) => form.test(name))?.[1];
      if (check) return check(object[name], inside(name));
      if (additionalProperties !== false) return undefined;
      return `${inside(name).slice(0, 200)}: ${patterns.length > 0 ? 'is no valid name' : noSuchField(name, [...fields.keys()])}`;
    });
  };
}

function noSuchField(name: string, fields: readonly string[]): string {
  const near = nearest(name.slice(0, 100), fields);
  return `there is no such field${near === undefined ? '' : `; did you mean ${near}?`}`;
}

function firstOf<Item>(items: readonly Item[], check: (item: Item, index: number) => string | undefined): string | undefined {
  for (const [i, item] of items.entries()) {
    const mistake = check(item, i);
    if (mistake !== undefined) return mistake;
  }
  return undefined;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

const words: Readonly<Record<string, boolean>> = { true: true, 1: true, '': true, false: false, 0: false };

/** Query strings are text: what the schema wants as a number or as yes or no becomes one, where it reads as such. */
export function coerceQuery(query: Record<string, unknown>, schema: TSchema): void {
  const { properties = {} }: Schema = schema;
  for (const [name, { type }] of Object.entries(properties)) {
    const text = query[name];
    if (typeof text !== 'string') continue;
    if ((type === 'integer' || type === 'number') && /^-?\d{1,15}$/.test(text)) query[name] = Number(text);
    if (type === 'boolean' && Object.hasOwn(words, text)) query[name] = words[text];
  }
}

/** @returns a function that leaves of a value what the schema lists, in its order, so that nothing internal gets out */
export function shapeOf(schema: TSchema): (value: unknown) => unknown {
  return shapeFor(schema) ?? ((value) => value);
}

/** @returns undefined where every value is of the shape already */
function shapeFor({ properties, items, additionalProperties }: Schema): ((value: unknown) => unknown) | undefined {
  if (items) {
    const shape = shapeFor(items);
    return shape && ((value) => (value as unknown[]).map(shape));
  }
  if (!properties || additionalProperties !== false) return undefined;
  const fields = Object.entries(properties).map(([name, schema]) => [name, shapeFor(schema)] as const);
  return (value) => {
    const object = value as Readonly<Record<string, unknown>>;
    const shaped: Record<string, unknown> = {};
    for (const [name, shape] of fields) {
      const field = object[name];
      if (field !== undefined) shaped[name] = shape ? shape(field) : field;
    }
    return shaped;
  };
}
