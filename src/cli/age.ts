/** Ages and durations for people: exact while they are short, one or two units when they are long. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

/** Up to `below`, the time is told in `unit`, and in `rest` what is left over. */
const steps: readonly { below: number; unit: readonly [number, string]; rest?: readonly [number, string] }[] = [
  { below: 2 * minute, unit: [second, 's'] },
  { below: 10 * minute, unit: [minute, 'm'], rest: [second, 's'] },
  { below: 3 * hour, unit: [minute, 'm'] },
  { below: 8 * hour, unit: [hour, 'h'], rest: [minute, 'm'] },
  { below: 2 * day, unit: [hour, 'h'] },
  { below: 8 * day, unit: [day, 'd'], rest: [hour, 'h'] },
  { below: 2 * year, unit: [day, 'd'] },
  { below: Number.POSITIVE_INFINITY, unit: [year, 'y'], rest: [day, 'd'] },
];

/**
 * How long ago it was, as kubectl tells it: `45s`, `3m20s`, `5h`, `12d`.
 * @param time RFC 3339
 */
export function ageOf(time: string, nowMs = Date.now()): string {
  return inUnits(Math.max(0, nowMs - Date.parse(time)));
}

/** When it will be: `in 5m`. */
export function untilText(time: string, nowMs = Date.now()): string {
  return `in ${inUnits(Math.max(0, Date.parse(time) - nowMs))}`;
}

/** `850ms`, `1.2s`, `3m20s`. */
export function durationText(ms: number): string {
  if (ms < second) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)}ms`;
  if (ms < minute) return `${Math.round(ms / 100) / 10}s`;
  return inUnits(ms);
}

function inUnits(ms: number): string {
  const step = steps.find(({ below }) => ms < below) as (typeof steps)[number];
  const [size, name] = step.unit;
  const text = `${Math.floor(ms / size)}${name}`;
  const left = step.rest ? Math.floor((ms % size) / step.rest[0]) : 0;
  return left > 0 ? `${text}${left}${step.rest?.[1]}` : text;
}
