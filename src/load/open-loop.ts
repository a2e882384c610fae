/**
 * An open loop: calls are due at a fixed rate, whether or not those before have been answered, as users come.
 *
 * A call that has to wait, since as many as are allowed are under way, counts from the moment it was due (coordinated omission: Tene,
 * "How NOT to measure latency"). Timers are good to a millisecond or two, though, which is more than many a call takes: one that is
 * late by less, while there was room for it, counts from the moment it was sent.
 */
import type { Answered, Call } from './call.ts';

export interface OpenLoop {
  readonly perSecond: number;
  readonly durationMs: number;
  /** Calls under way at once, beyond which they wait. */
  readonly atMost: number;
}

export interface DueCall extends Answered {
  /** Since it was due. */
  readonly ms: number;
  /** When it was due, from the start. */
  readonly dueMs: number;
  /** How late it was sent though there was room. */
  readonly lateMs: number;
}

const timerMs = 2;

/**
 * @param hear gets each call as it ends
 * @returns how many calls were due and never sent, since too many were still under way at the end
 */
export function openLoop(
  { perSecond, durationMs, atMost }: OpenLoop,
  call: Call,
  hear: (call: DueCall) => void,
  signal: AbortSignal,
): Promise<number> {
  const gapMs = 1000 / perSecond;
  const due = Math.max(1, Math.round(durationMs / gapMs));
  const free = Array.from({ length: atMost }, (_, number) => atMost - 1 - number);
  const startedAt = performance.now();
  let roomSince = startedAt;
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;
  return new Promise((resolve) => {
    const send = async (client: number, dueAt: number): Promise<void> => {
      const sentAt = performance.now();
      const roomAt = Math.max(dueAt, roomSince);
      const lateMs = sentAt - roomAt;
      const answered = await call(client);
      if (free.length === 0) roomSince = performance.now();
      free.push(client);
      const waitedMs = roomAt - dueAt + (lateMs > timerMs ? lateMs : 0);
      if (!signal.aborted) hear({ ...answered, ms: answered.ms + waitedMs, dueMs: dueAt - startedAt, lateMs });
      pump();
    };
    const pump = (): void => {
      clearTimeout(timer);
      const isOver = signal.aborted || performance.now() > startedAt + durationMs + timerMs;
      while (!isOver && sent < due && free.length > 0 && startedAt + sent * gapMs <= performance.now())
        void send(free.pop() ?? 0, startedAt + sent++ * gapMs);
      if (!isOver && sent < due) {
        const nextAt = free.length > 0 ? startedAt + sent * gapMs : startedAt + durationMs + 2 * timerMs;
        timer = setTimeout(pump, Math.max(1, Math.floor(nextAt - performance.now())));
      } else if (free.length === atMost) {
        signal.removeEventListener('abort', pump);
        resolve(signal.aborted ? 0 : due - sent);
      }
    };
    signal.addEventListener('abort', pump);
    pump();
  });
}
