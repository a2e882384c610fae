/** Durations and sizes as users write them. A bare number is refused: `30` of what? */
import { PrisnError } from './error.ts';

const durationUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const byteUnits: Record<string, number> = Object.fromEntries(
  ['k', 'm', 'g'].flatMap((unit, power) => ['', 'b', 'ib'].map((end) => [unit + end, 2 ** (10 * (power + 1))] as const)),
);

/** setTimeout holds 31 bits of milliseconds; a longer time would fire at once. */
export const maxDurationMs = 2 ** 31 - 1;

/**
 * Parses a duration such as `250ms`, `30s`, `1.5h` or `2d`.
 * @param text what the user wrote
 * @param name the flag or field, for the message
 * @returns whole milliseconds, 1 … 2^31 - 1
 * @throws PrisnError `usage`
 */
export function parseDuration(text: string, name: string): number {
  const ms = parseQuantity(text, durationUnits);
  if (ms === undefined || ms < 1)
    throw new PrisnError(
      'usage',
      `${name}: '${text}' is not a duration; write a number with a unit, such as 250ms, 30s, 5m, 1h or 2d`,
    );
  if (ms > maxDurationMs) throw new PrisnError('usage', `${name}: '${text}' is too long; at most 24d`);
  return ms;
}

/**
 * Parses a size such as `256mb` or `1.5gb` (powers of 1024).
 * @param text what the user wrote
 * @param name the flag or field, for the message
 * @returns whole bytes, 16 MB … 64 GB
 * @throws PrisnError `usage`
 */
export function parseMemory(text: string, name: string): number {
  const bytes = parseQuantity(text, byteUnits);
  if (bytes === undefined)
    throw new PrisnError(
      'usage',
      `${name}: '${text}' is not a size; write a number with a unit, such as 256mb or 1gb (k, m, g, also as kb or kib)`,
    );
  if (bytes < 16 * 2 ** 20 || bytes > 64 * 2 ** 30)
    throw new PrisnError('usage', `${name}: '${text}' is out of range; from 16mb to 64gb`);
  return bytes;
}

/**
 * Parses a size such as `64kb` or `10mb` (powers of 1024) that is no memory limit.
 * @returns whole bytes, 1 … 1 TB
 * @throws PrisnError `usage`
 */
export function parseBytes(text: string, name: string): number {
  const bytes = parseQuantity(text, byteUnits);
  if (bytes !== undefined && bytes >= 1 && bytes <= 2 ** 40) return bytes;
  throw new PrisnError('usage', `${name}: '${text}' is not a size; write a number with a unit, such as 64kb, 10mb or 1gb`);
}

/**
 * Parses a number of cores such as `0.5` or `2`.
 * @returns 0.001 … 9999
 * @throws PrisnError `usage`
 */
export function parseCores(text: string, name: string): number {
  const cores = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (cores > 0) return cores;
  throw new PrisnError('usage', `${name}: '${text}' is not a number of cores from 0.001 to 9999, such as 0.5 or 2`);
}

function parseQuantity(text: string, units: Record<string, number>): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([a-z]+)$/i.exec(text);
  const unit = match?.[2] && units[match[2].toLowerCase()];
  return match && unit ? Math.round(Number(match[1]) * unit) : undefined;
}

/** `1500` → `1.5s`: the shortest exact form. */
export function formatDuration(ms: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= size && Number.isInteger((ms / size) * 10)) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** `268435456` → `256mb`. */
export function formatMemory(bytes: number): string {
  return bytes >= 2 ** 30 && bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}gb` : `${Math.round(bytes / 2 ** 20)}mb`;
}

/** `65536` → `64kb`: the largest unit that is exact. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['gb', 2 ** 30],
    ['mb', 2 ** 20],
    ['kb', 2 ** 10],
  ] as const)
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  return `${bytes}b`;
}
