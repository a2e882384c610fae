/**
 * Whether a version of Python is one that a program is for: version specifiers of PEP 440
 * (https://packaging.python.org/en/latest/specifications/version-specifiers/), of released versions only, as interpreters have them.
 */

type Numbers = readonly number[];

/**
 * @param version such as `3.11.7`
 * @param specifiers such as `>=3.9,<4`; empty for any
 * @returns undefined where a part of `specifiers` is none that is known
 */
export function satisfies(version: string, specifiers: string): boolean | undefined {
  const have = numbers(version);
  let all = true;
  for (const part of specifiers.split(',').map((text) => text.trim())) {
    if (part === '') continue;
    const [, operator = '', want = '', wildcard] = /^(~=|===?|!=|<=?|>=?)\s*v?(\d+(?:\.\d+)*)(\.\*)?$/.exec(part) ?? [];
    if (operator === '' || (wildcard !== undefined && !/^[!=]=$/.test(operator))) return undefined;
    all &&= matches(have, operator, numbers(want), wildcard !== undefined);
  }
  return all;
}

function matches(have: Numbers, operator: string, want: Numbers, isPrefix: boolean): boolean {
  const order = compare(isPrefix ? have.slice(0, want.length) : have, want);
  switch (operator) {
    case '==':
    case '===':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      // ~=3.9.1 is >=3.9.1 and ==3.9.*
      return order >= 0 && compare(have.slice(0, want.length - 1), want.slice(0, -1)) === 0;
  }
}

function compare(a: Numbers, b: Numbers): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function numbers(version: string): number[] {
  return version.split('.').map(Number);
}
