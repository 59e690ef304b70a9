// The clock of the running daemon.
import { awakeTime } from './awake-time.ts';
import type { Clock } from './clock.ts';

export const realClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => awakeTime.nowMs(),
  fromCellMs: (atMs) => awakeTime.fromCellMs(atMs),
  awakeOf: (durationMs) => awakeTime.awakeOf(durationMs),
  elapsedMs: (sinceMs) => awakeTime.elapsedMs(sinceMs),
  after: (delayMs, run) => awakeTime.after(delayMs, run),
  soon: (run) => queueMicrotask(run),
};
