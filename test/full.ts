/** Long proofs have a short form in `npm test`; `npm run test:full` runs them whole. */
export const full = process.env['PRISN_TEST_FULL'] === '1';

/** @returns the number of rounds for this kind of run */
export function rounds(short: number, long: number): number {
  return full ? long : short;
}
