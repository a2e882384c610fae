/**
 * Reads JSON that a stranger sent (RFC 8259). `JSON.parse` alone takes the last of two members of one name, takes
 * `__proto__` for a name like any other, and nests as deep as the sender likes, which whoever recurses over it later pays
 * for, as for millions of values. A scan over the text refuses these four; it leaves all other mistakes to `JSON.parse`, whose messages tell the place.
 */
import { messageOf, PrisnError } from '../base/error.ts';

const maxDepth = 200;
/** What is done with each of them takes much longer than its reading. */
const maxValues = 100_000;

export interface Json {
  readonly value: unknown;
  /** The text of a member of the outermost object, exactly as it was sent. */
  member(name: string): string | undefined;
}

/** @throws PrisnError `usage` */
export function parseJson(bytes: Uint8Array): Json {
  const text = decode(bytes);
  const members = scan(text);
  try {
    return { value: JSON.parse(text) as unknown, member: (name) => members.get(name) };
  } catch (error) {
    throw new PrisnError('usage', `the body is not valid JSON: ${messageOf(error)}`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new PrisnError('usage', 'the body is not valid UTF-8, as JSON has to be');
  }
}

const codes = {
  quote: 34,
  comma: 44,
  colon: 58,
  openArray: 91,
  backslash: 92,
  closeArray: 93,
  openObject: 123,
  closeObject: 125,
};

/** @returns the members of the outermost object as text, by name; anything where the text is no JSON */
function scan(text: string): Map<string, string> {
  const members = new Map<string, string>();
  /** What the position is inside of: objects with the names seen so far, and arrays. */
  const levels: (Set<string> | 'array')[] = [];
  /** Of the outermost object: the member whose value is being read, and where that began. */
  let member: { name: string; start: number } | undefined;
  let name: string | undefined;
  let wantsName = false;
  let values = 1;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case codes.quote: {
        const end = endOfString(text, at);
        if (wantsName) name = addName(levels.at(-1), text.slice(at, end));
        at = end - 1;
        break;
      }
      case codes.openObject:
      case codes.openArray:
        wantsName = text.charCodeAt(at) === codes.openObject;
        levels.push(wantsName ? new Set() : 'array');
        countValue(++values);
        if (levels.length > maxDepth) throw new PrisnError('usage', `the body nests deeper than ${maxDepth} levels`);
        break;
      case codes.colon:
        if (levels.length === 1 && name !== undefined) member = { name, start: at + 1 };
        wantsName = false;
        break;
      case codes.comma:
      case codes.closeObject:
      case codes.closeArray:
        if (levels.length === 1 && member) {
          members.set(member.name, text.slice(member.start, at).trim());
          member = undefined;
        }
        if (text.charCodeAt(at) !== codes.comma) levels.pop();
        else {
          wantsName = levels.at(-1) instanceof Set;
          countValue(++values);
        }
        break;
      default:
    }
  }
  return members;
}

function countValue(values: number): void {
  if (values > maxValues) throw new PrisnError('usage', `the body has more than ${maxValues} values`);
}

/** @returns where the string that begins there ends, behind its quote */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === codes.quote) return at + 1;
    if (code === codes.backslash) at++;
  }
  return text.length;
}

function addName(names: Set<string> | 'array' | undefined, quoted: string): string | undefined {
  const name = quoted.includes('\\') ? unescaped(quoted) : quoted.slice(1, -1);
  if (name === undefined || !(names instanceof Set)) return undefined;
  if (name === '__proto__') throw new PrisnError('usage', 'the body has a member "__proto__", which is refused');
  if (names.has(name)) throw new PrisnError('usage', `the body has the member ${JSON.stringify(name)} twice in one object`);
  names.add(name);
  return name;
}

function unescaped(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}

/** JSON in which the order of members does not count, so that texts that mean the same are the same. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
