/** Tells a `Response` without evaluating what makes one: a program that never named that has none. */
let isOne: (value: unknown) => boolean = () => false;

export function isResponse(value: unknown): boolean {
  return isOne(value);
}

export function setIsResponse(test: (value: unknown) => boolean): void {
  isOne = test;
}
