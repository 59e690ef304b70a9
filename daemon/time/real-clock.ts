// The clock of the running daemon.
import { awakeTime } from './awake-time.ts';
import type { Clock } from './clock.ts';
import { steadyMs } from './steady-time.ts';

export const realClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => awakeTime.nowMs(),
  steadyMs,
  fromCellMs: (atMs) => awakeTime.fromCellMs(atMs),
  awakeOf: (durationMs) => awakeTime.awakeOf(durationMs),
  elapsedMs: (sinceMs) => awakeTime.elapsedMs(sinceMs),
  after: (delayMs, run) => awakeTime.after(delayMs, run),
  soon: (run) => queueMicrotask(run),
};
