/** What a client asks for in the frame `run`, taken apart field by field: the pool passes on what it gets. */
import type { ForegroundRequest } from '../model/foreground-run.ts';
import type { IsolateTask, Limits } from '../model/task.ts';

const limitNames: ReadonlySet<string> = new Set<keyof Limits>(['timeoutMs', 'memoryBytes', 'cpu', 'pids']);

/** @returns undefined for anything that is no such request */
export function requestIn(payload: Buffer): ForegroundRequest | undefined {
  const value: unknown = JSON.parse(payload.toString('utf8'));
  return isRecord(value) && isRecord(value['place']) && isTask(value['task'])
    ? (value as unknown as ForegroundRequest)
    : undefined;
}

function isTask(value: unknown): value is IsolateTask {
  if (!isRecord(value)) return false;
  const { program, args, env, cwd, limits, request, returns } = value;
  const isProgram = isRecord(program) && typeof program['entry'] === 'string' && isRecord(program['modules']);
  return (
    isProgram &&
    Object.values(program['modules'] as object).every(isModule) &&
    Array.isArray(args) &&
    args.every((arg) => typeof arg === 'string') &&
    isTextRecord(env) &&
    typeof cwd === 'string' &&
    isRecord(limits) &&
    areLimits(limits) &&
    request === undefined &&
    returns === undefined
  );
}

function isModule(value: unknown): boolean {
  return (
    isRecord(value) && typeof value['format'] === 'string' && typeof value['code'] === 'string' && isTextRecord(value['imports'])
  );
}

function areLimits(limits: Record<string, unknown>): limits is Limits & Record<string, unknown> {
  return Object.entries(limits).every(
    ([name, limit]) => limitNames.has(name) && typeof limit === 'number' && Number.isFinite(limit) && limit > 0,
  );
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((text) => typeof text === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
